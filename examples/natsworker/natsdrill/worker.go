package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// worker is one process of natsworker.
type worker struct {
	name  string // its member's
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended and all it printed is filed
	err   error         // how it ended
	ended time.Time

	mu     sync.Mutex // guards the fields below
	bad    error
	beats  []time.Time // when heartbeats left that were answered
	gone   time.Time   // killed or frozen
	wokeAt time.Time
}

// printed is a line of -output batches or -events.
type printed struct {
	Event    string    `json:"event"`
	Began    time.Time `json:"began"`
	At       time.Time `json:"at"`
	Shard    int       `json:"shard"`
	Epoch    uint64    `json:"epoch"`
	Position uint64    `json:"position,string"`
	Error    string    `json:"error"`
	First    int64     `json:"first"`
	Last     int64     `json:"last"`
	Breaks   int       `json:"breaks"`
}

// start starts a worker that prints into the ledger.
func (s *stage) start(name string) (*worker, error) {
	args := append([]string{
		"-servers", s.urls(), "-stream", s.stream.Name, "-partitions", strconv.Itoa(s.stream.Partitions),
		"-replicas", strconv.Itoa(s.stream.Replicas), "-group", group, "-member", name, "-ttl", s.o.ttl.String(),
		"-batch", "20", "-output", "batches", "-events",
	}, s.pace...)
	if s.o.verbose {
		args = append(args, "-log-level", "info")
	}
	w := &worker{name: name, cmd: exec.Command(s.o.worker, args...), done: make(chan struct{})}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.cmd.Stderr = s.stderr
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	s.workers = append(s.workers, w)
	go func() { // ends with the process; close waits for it
		defer close(w.done)
		w.read(out, s.ledger)
		w.err = w.cmd.Wait()
		w.ended = time.Now()
	}()
	return w, nil
}

// read files what the worker prints, until its end.
func (w *worker) read(out io.Reader, g *ledger) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := w.file(lines.Bytes(), g); err != nil {
			w.mu.Lock()
			w.bad = errors.Join(w.bad, err)
			w.mu.Unlock()
		}
	}
}

// file files a line. The last one of a process that was killed may be a part of one.
func (w *worker) file(line []byte, g *ledger) error {
	var p printed
	if err := json.Unmarshal(line, &p); err != nil {
		if !w.goneAt().IsZero() {
			return nil
		}
		return fmt.Errorf("worker %s printed %q: %w", w.name, line, err)
	}
	switch p.Event {
	case "":
		g.handled(w, p)
	case "started":
		g.started(w, p)
	case "stopped":
		g.stopped(w, p)
	case "commit":
		if p.Error == "" {
			g.committed(w, p)
		}
	case "heartbeat":
		w.mu.Lock()
		defer w.mu.Unlock()
		w.beats = append(w.beats, p.At)
	}
	return nil
}

// lastBeat returns when the last heartbeat left that was answered.
func (w *worker) lastBeat() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.beats) == 0 {
		return time.Time{}
	}
	return w.beats[len(w.beats)-1]
}

// silence returns the longest time between two heartbeats that were answered, from the
// last one before a time to the first one after another, or to that.
func (w *worker) silence(from, to time.Time) (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, beat := range w.beats {
		next := to
		if i+1 < len(w.beats) {
			next = w.beats[i+1]
		}
		if next.After(from) && beat.Before(to) {
			longest = max(longest, next.Sub(beat))
		}
	}
	return longest
}

// goneAt returns when the process was killed or frozen; zero: it was not.
func (w *worker) goneAt() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

// wokeBefore reports whether the process was frozen and woke before a time.
func (w *worker) wokeBefore(t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.wokeAt.IsZero() && t.After(w.wokeAt)
}

// stop asks the worker to end and waits for it. It returns how long that took.
func (w *worker) stop() (time.Duration, error) {
	start := time.Now()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	<-w.done
	if w.err != nil {
		return 0, fmt.Errorf("worker %s: %w", w.name, w.err)
	}
	return w.ended.Sub(start), nil
}

// kill ends the worker where it stands.
func (w *worker) kill() error {
	w.mu.Lock()
	w.gone = time.Now()
	w.mu.Unlock()
	err := w.cmd.Process.Kill()
	<-w.done
	return err
}

// freeze stops the worker where it stands, and wake lets it go on.
func (w *worker) freeze() error {
	err := freeze(w.cmd.Process)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = time.Now()
	return err
}

func (w *worker) wake() error {
	w.mu.Lock()
	w.wokeAt = time.Now()
	w.mu.Unlock()
	return wake(w.cmd.Process)
}

// end ends what is left of the worker, and returns what was wrong with what it printed.
func (w *worker) end() error {
	select {
	case <-w.done:
	default:
		_ = w.cmd.Process.Signal(os.Kill)
		<-w.done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad
}
