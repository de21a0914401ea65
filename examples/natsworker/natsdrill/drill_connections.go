package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// connections has many clients of one member each, as many processes would: each has a
// connection and watches of its own.
func connections(s *stage, r *report) (err error) {
	start, before := time.Now(), s.cpu()
	// Ten shards each: each client reads each document, and here all do so on one machine.
	c, err := s.newCrowd(10*s.o.clients, s.o.clients)
	defer func() {
		if cerr := c.close(); err == nil {
			err = cerr
		}
	}()
	if err != nil {
		return err
	}
	r.note(fmt.Sprintf("%d connections", s.o.clients), short(time.Since(start)))
	s.noteCPU(r, before)
	if err := s.joins(r, c, s.o.clients, "join", s.o.settle, 2*time.Second, 200); err != nil {
		return err
	}
	if err := s.joins(r, c, 1, "one more", c.beat, 500*time.Millisecond, 0); err != nil {
		return err
	}
	idle := s.cpu()
	if err := s.idleCost(r, c); err != nil {
		return err
	}
	s.noteCPU(r, idle)
	for _, stream := range []string{documents, records} {
		st, err := s.js.Stream(s.ctx, stream)
		if err != nil {
			return err
		}
		most := 0
		if stream == records {
			most = 8
		}
		r.atMost("consumers of "+stream, st.CachedInfo().State.Consumers, most)
	}
	r.loss("heartbeats that failed", int(c.failed.Load()), false)
	if err := c.reason.Load(); err != nil {
		r.note("  the first of these", (*err).Error())
	}
	r.atMost("two owners at a time", int(c.double.Load()), 0)
	return nil
}

// cpuTimes is the processor time that this process and the servers have used.
type cpuTimes struct{ clients, servers time.Duration }

func (s *stage) cpu() cpuTimes {
	u := cpuTimes{clients: cpuTime(os.Getpid())}
	for _, n := range s.nodes {
		u.servers += cpuTime(n.cmd.Process.Pid)
	}
	return u
}

// noteCPU notes the processor time that was used since before.
func (s *stage) noteCPU(r *report, before cpuTimes) {
	used := "not known"
	if runtime.GOOS == "linux" {
		now := s.cpu()
		used = fmt.Sprintf("%.2f s, %.2f s", (now.clients - before.clients).Seconds(), (now.servers - before.servers).Seconds())
	}
	r.note("  processor time of the clients, of the servers", used)
}

// cpuTime returns the processor time of a process, in hundredths of a second; zero on a
// system that has no /proc.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may have spaces. Behind it the times are words 12 and 13.
	_, rest, _ := strings.Cut(string(text), ") ")
	words := strings.Fields(rest)
	if len(words) < 13 {
		return 0
	}
	ticks := 0
	for _, w := range words[11:13] {
		n, err := strconv.Atoi(w)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
