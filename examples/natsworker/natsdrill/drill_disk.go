package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// slower returns the beginning of a command line that delays each flush of a program, or
// nothing for none. The tracer stops the program at no other system call, and ends with
// it; who starts the line has the program itself as its child.
func slower(flush time.Duration) []string {
	if flush <= 0 {
		return nil
	}
	const calls = "fsync,fdatasync"
	return []string{
		"strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", "inject=" + calls + ":delay_enter=" + strconv.FormatInt(flush.Microseconds(), 10),
	}
}

// slowable says why the disks of this machine's programs cannot be made slow.
func slowable() error {
	line := append(slower(time.Microsecond), "true")
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("strace cannot delay what a program does: %w%s", err, out)
	}
	return nil
}

// slowDisk has the servers work with slow disks from the start. The records of members
// are in memory, so leases live on; what is written to disk, checkpoints and a document
// when somebody joins or leaves, takes its time.
func slowDisk(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	write, err := s.writeTime()
	if err != nil {
		return err
	}
	quiet := time.Now()
	if err := s.sleep(s.o.ttl + 3*time.Second); err != nil {
		return err
	}
	moved := s.ledger.startsSince(quiet)
	r.note("alone: longest silence of a worker", short(s.silence(quiet)))

	start := time.Now()
	w, err := s.start("w4")
	if err != nil {
		return err
	}
	if err := s.awaitShares(append(team, w)); err != nil {
		return err
	}
	joined := time.Now()
	if _, err := w.stop(); err != nil {
		return err
	}
	if err := s.awaitShares(team); err != nil {
		return err
	}
	var stood []time.Duration
	for _, m := range s.ledger.moves(start) {
		stood = append(stood, m.stood)
	}
	left := s.elsewhere(w, joined)
	if err := s.finish(r, once); err != nil {
		return err
	}
	r.note("a write to all disks, shortest of ten", short(write))
	if write < s.o.flush {
		return fmt.Errorf("a write to disk takes %v: the disks are not slow", write)
	}
	r.loss("alone: shards that changed hands", moved, true)
	r.note("then one came and went: shards moved", fmt.Sprint(len(stood)))
	r.note("pause of a shard between two batches, longest", short(quantile(stood, 1)))
	r.note("leaving: until all shards run elsewhere", short(left))
	return nil
}

// writeTime returns the shortest time that a write to the servers' disks took.
func (s *stage) writeTime() (time.Duration, error) {
	const name = "disk"
	_, err := s.js.CreateStream(s.ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Replicas: len(s.nodes)})
	if err != nil {
		return 0, err
	}
	shortest := time.Minute
	for range 10 {
		start := time.Now()
		if _, err := s.js.Publish(s.ctx, name, nil); err != nil {
			return 0, err
		}
		shortest = min(shortest, time.Since(start))
	}
	return shortest, s.js.DeleteStream(s.ctx, name)
}
