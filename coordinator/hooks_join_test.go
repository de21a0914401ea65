package coordinator_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// noting returns Hooks of which each one calls note with its name.
func noting(note func(hook string)) coordinator.Hooks {
	var h coordinator.Hooks
	v := reflect.ValueOf(&h).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		v.Field(i).Set(reflect.MakeFunc(v.Field(i).Type(), func([]reflect.Value) []reflect.Value { note(name); return nil }))
	}
	return h
}

// Every hook of every argument is called, in order, whatever others do.
func TestJoinHooks(t *testing.T) {
	var called []string
	by := func(who string) coordinator.Hooks {
		return noting(func(string) { called = append(called, who) })
	}
	panics := noting(func(string) { called = append(called, "panics"); panic("boom") })
	h := coordinator.JoinHooks(by("a"), coordinator.Hooks{}, panics, by("b"), by("c"))
	v := reflect.ValueOf(h)
	for i := range v.NumField() {
		called = nil
		var recovered any
		func() {
			defer func() { recovered = recover() }()
			v.Field(i).Call([]reflect.Value{reflect.Zero(v.Field(i).Type().In(0))})
		}()
		if want := []string{"a", "panics", "b", "c"}; !slices.Equal(called, want) || recovered != "boom" {
			t.Errorf("%s: called %v, and recovered %v, want %v and boom", v.Type().Field(i).Name, called, recovered, want)
		}
	}
	if none := reflect.ValueOf(coordinator.JoinHooks(coordinator.Hooks{}, coordinator.Hooks{})); !none.IsZero() {
		t.Errorf("joining no hooks made some: %+v", none)
	}
}

// A panic in one hook is logged, and the next one is called.
func TestJoinedHooksInAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.ErrorLevel)
		var seen []string
		w := launch(t, "a", newWire(t, 1), coordinator.Config{Logger: zap.New(core), Hooks: coordinator.JoinHooks(
			coordinator.Hooks{Assigned: func(coordinator.ShardEvent) { panic("metrics") }},
			coordinator.Hooks{Assigned: func(e coordinator.ShardEvent) { seen = append(seen, e.ID.String()) }},
		)})
		time.Sleep(time.Second)
		w.end()
		if fmt.Sprint(seen) != "[log/0]" {
			t.Errorf("the second hook was called for %v, want log/0", seen)
		}
		lines := logs.All()
		if len(lines) != 1 || lines[0].Message != "hook panicked" || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["panic"]), "metrics") {
			t.Errorf("logged %v, want the panic", lines)
		}
	})
}

// One worker in trouble calls every hook.
func TestEveryHookIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		release := make(chan struct{})
		w := launch(t, "a", newWire(t, 3), coordinator.Config{
			Hooks: noting(func(hook string) { calls[hook]++ }), DrainTimeout: time.Second, StuckAfter: 10 * time.Millisecond,
			Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				switch s.ID().Number {
				case 0:
					return processor.Halt(errCut)
				case 1:
					<-release
					return nil
				}
				s.ReportPoison(processor.Poison{From: "1", Next: "2", Items: 1, Err: errCut})
				s.ReportGap(processor.Gap{Resumed: "1"})
				if err := s.Commit(ctx, "1"); err != nil {
					return err
				}
				return errCut
			}),
		})
		time.Sleep(time.Minute)
		w.end()
		close(release)
		v := reflect.TypeOf(coordinator.Hooks{})
		for i := range v.NumField() {
			if name := v.Field(i).Name; calls[name] == 0 {
				t.Errorf("the hook %s was not called; called were %v", name, calls)
			}
		}
	})
}
