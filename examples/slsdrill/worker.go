package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// worker is one process of examples/slsworker.
type worker struct {
	name  string // its member's
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended and all it printed is filed
	err   error         // how it ended
	ended time.Time

	mu  sync.Mutex // guards bad
	bad error
}

// printed is a line of -output batches.
type printed struct {
	At     time.Time `json:"at"`
	Shard  int       `json:"shard"`
	Cursor string    `json:"cursor"`
	Next   string    `json:"next"`
}

// start starts a worker that prints into the ledger.
func (s *stage) start(name string, more ...string) (*worker, error) {
	args := append([]string{
		"-endpoint", s.endpoint, "-project", project, "-logstore", logstore, "-group", group,
		"-member", name, "-interval", s.o.interval.String(), "-timeout", s.o.timeout.String(), "-output", "batches",
	}, more...)
	w := &worker{name: name, cmd: exec.CommandContext(s.ctx, s.o.worker, args...), done: make(chan struct{})}
	w.cmd.Cancel = func() error { return w.cmd.Process.Kill() }
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.o.verbose {
		w.cmd.Stderr = s.stderr
	}
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
			w.bad = err
			w.mu.Unlock()
		}
	}
}

func (w *worker) file(line []byte, g *ledger) error {
	var p printed
	if err := json.Unmarshal(line, &p); err != nil {
		return fmt.Errorf("worker %s printed %q: %w", w.name, line, err)
	}
	from, err := number(p.Cursor)
	if err != nil {
		return err
	}
	next, err := number(p.Next)
	if err != nil {
		return err
	}
	g.add(p.Shard, handled{worker: w, at: p.At, from: from, next: next})
	return nil
}

// signal sends a signal.
func (w *worker) signal(s syscall.Signal) error { return w.cmd.Process.Signal(s) }

// stop asks the worker to end and waits for it. It returns how long that took.
func (w *worker) stop() (time.Duration, error) {
	start := time.Now()
	if err := w.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	<-w.done
	if w.err != nil {
		return 0, fmt.Errorf("worker %s: %w", w.name, w.err)
	}
	return w.ended.Sub(start), nil
}

// peak is the most memory that the worker had resident, in MiB; 0 where the system does
// not say.
func (w *worker) peak() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}

// fault is what was wrong with what the worker printed.
func (w *worker) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad
}
