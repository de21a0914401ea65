package replicatedtest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a testing.TB that records how a case ended.
type recorder struct {
	testing.TB
	mu      sync.Mutex // guards the fields below
	failed  bool
	skipped bool
	first   string // what it failed with
}

func (r *recorder) note(what *bool, said string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*what = true
	if r.first == "" {
		r.first = said
	}
}

func (r *recorder) Helper()                      {}
func (r *recorder) Log(...any)                   {}
func (r *recorder) Logf(string, ...any)          {}
func (r *recorder) Fail()                        { r.note(&r.failed, "failed") }
func (r *recorder) Error(args ...any)            { r.note(&r.failed, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) { r.note(&r.failed, fmt.Sprintf(f, args...)) }
func (r *recorder) FailNow()                     { r.Fail(); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) Skip(args ...any)             { r.note(&r.skipped, fmt.Sprint(args...)); runtime.Goexit() }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// play plays a case in a bubble and returns how it went.
func play(t *testing.T, c storeCase, cfg StoreConfig) *recorder {
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		r.TB = t
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.play(r, cfg)
		}()
		<-done
		time.Sleep(time.Hour) // for what a mutant leaves behind
	})
	return r
}
