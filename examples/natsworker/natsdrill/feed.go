package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
)

// feed is a process of natsput.
type feed struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended
}

// startFeed begins to put records into all partitions.
func (s *stage) startFeed() error {
	f := &feed{done: make(chan struct{})}
	f.cmd = exec.Command(s.o.put, "-servers", s.urls(), "-stream", s.stream.Name,
		"-partitions", strconv.Itoa(s.stream.Partitions), "-rate", strconv.FormatFloat(s.o.rate, 'f', -1, 64))
	f.cmd.Stderr = s.stderr
	if err := f.cmd.Start(); err != nil {
		return fmt.Errorf("start the feed: %w", err)
	}
	s.feed = f
	go func() { // ends with the process; stop and kill wait for it
		defer close(f.done)
		f.err = f.cmd.Wait()
	}()
	return nil
}

// stop ends the feed after what it has begun.
func (f *feed) stop() error {
	_ = f.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, with an error
	<-f.done
	if f.err != nil {
		return fmt.Errorf("the feed: %w", f.err)
	}
	return nil
}

func (f *feed) kill() {
	_ = f.cmd.Process.Kill() // it may have ended
	<-f.done
}

// ends returns the number of the last record of each partition.
func (s *stage) ends() ([]int64, error) {
	ends := make([]int64, s.stream.Partitions)
	for i := range ends {
		r, err := s.stream.Last(s.ctx, s.nc, i)
		if err != nil {
			return nil, err
		}
		ends[i] = r.Number
	}
	return ends, nil
}
