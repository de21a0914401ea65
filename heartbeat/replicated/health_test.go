package replicated_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

// sick is a tap whose watches of one kind fail as long as it is sick.
type sick struct {
	*tap
	kind replicated.Kind
	err  *error // nil: it is well
}

func (s sick) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if kind == s.kind && *s.err != nil {
		return *s.err
	}
	return s.tap.Watch(ctx, kind, sink)
}

// logged returns a change of a Config that logs, and what of it is about watches.
func logged() (func(cfg *replicated.Config), func() []observer.LoggedEntry) {
	core, logs := observer.New(zap.InfoLevel)
	return func(cfg *replicated.Config) { cfg.Logger = zap.New(core) },
		func() (watches []observer.LoggedEntry) {
			for _, e := range logs.TakeAll() {
				if strings.Contains(e.Message, "watch") {
					watches = append(watches, e)
				}
			}
			return watches
		}
}

func levels(entries []observer.LoggedEntry) (all []zapcore.Level) {
	for _, e := range entries {
		all = append(all, e.Level)
	}
	return all
}

type endless struct{ error }

func (endless) Retryable() bool { return false }

// A watch that never works is in the log at once and again every TTL, and so is that it
// works at last. Members are served meanwhile.
func TestWatchThatFailsIsSeen(t *testing.T) {
	errSick := errors.New("no subscription")
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		for _, c := range []struct {
			err   error
			level zapcore.Level
		}{{errSick, zap.WarnLevel}, {endless{errSick}, zap.ErrorLevel}} {
			bubble(t, func(r *rig) {
				now := c.err
				r.wrap = func(s *tap) replicated.Store { return sick{tap: s, kind: kind, err: &now} }
				log, said := logged()
				a := r.process(log).member("a")
				r.together(a)
				start := time.Now()
				first := said()
				if len(first) != 1 || first[0].Level != c.level || first[0].ContextMap()["error"] != "no subscription" {
					t.Fatalf("the watch of the %s fails, and the log has %v", kind, first)
				}
				since, err := a.p.Degraded()
				if !errors.Is(err, c.err) || start.Sub(since) > time.Second {
					t.Errorf("the client is degraded since %v by %v, want %v", since, err, c.err)
				}
				r.until(5*rigTTL, "time passes", func() bool { return time.Since(start) > 4*rigTTL+rigTTL/2 }, a)
				if again := said(); len(again) != 4 || again[3].Level != c.level {
					t.Errorf("in four TTLs and a half the log has got %v", levels(again))
				}
				if at, err := a.p.Degraded(); err == nil || !at.Equal(since) {
					t.Errorf("the client is degraded since %v, and was since %v", at, since)
				}
				now = nil
				r.until(rigTTL, "the watch works", func() bool { _, err := a.p.Degraded(); return err == nil }, a)
				r.until(4*rigTTL, "time passes", func() bool { return time.Since(start) > 8*rigTTL }, a)
				if end := said(); len(end) != 1 || end[0].Level != zap.InfoLevel {
					t.Errorf("when the watch works again, the log gets %v", levels(end))
				}
			})
		}
	}
}

// A watch that breaks and works by turns is not in the log more than once in a TTL.
func TestWatchThatFlapsIsNotRepeated(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s, after: rigTTL / 20} }
		log, said := logged()
		a := r.process(log).member("a")
		start := time.Now()
		r.until(6*rigTTL, "time passes", func() bool { return time.Since(start) > 5*rigTTL }, a)
		warnings := 0
		entries := said()
		for _, l := range levels(entries) {
			if l == zap.WarnLevel {
				warnings++
			}
		}
		if warnings < 4 || warnings > 6 || len(entries) > 2*warnings {
			t.Errorf("in five TTLs the log has got %v", levels(entries))
		}
	})
}

// A watch that neither works nor fails is seen, too. One that works is in no log.
func TestWatchThatHangsIsSeen(t *testing.T) {
	bubble(t, func(r *rig) {
		log, said := logged()
		p := r.process(log)
		a := p.member("a")
		r.until(3*rigTTL, "time passes", func() bool { return len(a.answer.Grants) == r.shards }, a)
		if entries := said(); len(entries) > 0 {
			t.Errorf("all is well, and the log has %v", entries)
		}
		log, said = logged()
		q := r.process(log)
		q.Link.Set(memstore.Faults{HoldWatches: true})
		b := q.member("b")
		start := time.Now()
		r.until(2*rigTTL, "time passes", func() bool { return time.Since(start) > rigTTL }, a, b)
		entries := said()
		if len(entries) == 0 || entries[0].Level != zap.WarnLevel {
			t.Errorf("no watch has shown anything for a TTL, and the log has %v", entries)
		}
		if _, err := q.Degraded(); err == nil {
			t.Error("no watch has shown anything for a TTL, and the client is not degraded")
		}
		q.Client.Close()
		if _, err := q.Degraded(); err != nil {
			t.Errorf("a client that is closed is degraded by %v", err)
		}
	})
}
