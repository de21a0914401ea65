package slsserver

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// Fault makes requests fail or wait. It applies to a request that matches all of the fields Op,
// Project, Logstore, Consumer and Shard that are set.
type Fault struct {
	// Op is the operation's name in the service's documentation: "PullLogs",
	// "ConsumerGroupHeartBeat". Empty means all.
	Op       string `json:"op,omitempty"`
	Project  string `json:"project,omitempty"`
	Logstore string `json:"logstore,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Shard    *int   `json:"shard,omitempty"`

	// Skip is how many matching requests pass before the fault applies. Times is how many requests
	// the fault then applies to; zero means all.
	Skip  int `json:"skip,omitempty"`
	Times int `json:"times,omitempty"`

	// Latency delays the request before it does anything.
	Latency time.Duration `json:"latency,omitempty"`
	// Code makes the server refuse the request with an error of the service, without carrying it
	// out. Status and Message have defaults for ReadQuotaExceed, WriteQuotaExceed,
	// ConsumerNotMatch, NotExistConsumerWithBody, ServerBusy and InternalServerError. Another code
	// needs a Status.
	Code    string `json:"code,omitempty"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	// With Cut, the server carries out the request and breaks the connection in the middle of the
	// answer's body. With CutBefore, it breaks the connection and does not carry out the request.
	Cut       bool `json:"cut,omitempty"`
	CutBefore bool `json:"cutBefore,omitempty"`
}

// documented has the codes for which a Fault needs no Status and no Message.
var documented = map[string]apiError{
	"ReadQuotaExceed":          {status: 403, message: "Read QPS Exceed"},
	"WriteQuotaExceed":         {status: 403, message: "Write QPS Exceed"},
	"ConsumerNotMatch":         {status: 400, message: "the consumer does not hold the shard"},
	"NotExistConsumerWithBody": {status: 400, message: "non-exist consumer with non-empty body of heartbeat message"},
	"ServerBusy":               {status: 503, message: "the server is busy"},
	"InternalServerError":      {status: 500, message: "internal error"},
}

// complete fills in the defaults of a documented code, and checks the fault.
func (f *Fault) complete() error {
	if e, ok := documented[f.Code]; ok {
		f.Status = cmp.Or(f.Status, e.status)
		f.Message = cmp.Or(f.Message, e.message)
	}
	faults := &shardset.ConfigError{Config: "slsserver.Fault"}
	if f.Op != "" && handlers[f.Op] == nil {
		faults.Add("Op", "is %q, which is no operation", f.Op)
	}
	if (f.Status != 0 || f.Code != "") && (f.Status < 300 || f.Status > 599) {
		faults.Add("Status", "is %d; the status of an error is between 300 and 599", f.Status)
	}
	notNegative(faults, "Latency", &f.Latency, 0)
	notNegative(faults, "Skip", &f.Skip, 0)
	notNegative(faults, "Times", &f.Times, 0)
	return faults.Err()
}

// faultList is the faults that are on. Safe for concurrent use.
type faultList struct {
	mu     sync.Mutex
	active map[int]*Fault
	last   int
}

// AddFault switches a fault on and returns its number. Of the faults that a request matches, these
// apply: all that only delay it, and the oldest one that does more. Their delays add up. The error
// is a *shardset.ConfigError.
func (s *Server) AddFault(fault Fault) (int, error) {
	if err := fault.complete(); err != nil {
		return 0, err
	}
	f := &s.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.active == nil {
		f.active = map[int]*Fault{}
	}
	f.last++
	f.active[f.last] = &fault
	return f.last, nil
}

// RemoveFault switches off the fault with that number. An unknown number does nothing.
func (s *Server) RemoveFault(number int) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	delete(s.faults.active, number)
}

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	clear(s.faults.active)
}

// list returns the faults that are on, by number. Skip and Times are what is left of them.
func (f *faultList) list() map[int]Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make(map[int]Fault, len(f.active))
	for n, fault := range f.active {
		list[n] = *fault
	}
	return list
}

// hit returns the total delay of the faults that apply to a request, and the one that does more
// than delay it. It counts down their Skip and Times.
func (f *faultList) hit(c *call) (delay time.Duration, what Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.active) == 0 {
		return 0, what
	}
	acted := false
	for _, n := range slices.Sorted(maps.Keys(f.active)) {
		fault := f.active[n]
		if !fault.matches(c) {
			continue
		}
		acts := fault.Status != 0 || fault.Cut || fault.CutBefore
		if acts && acted {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		delay += fault.Latency
		if acts {
			what, acted = *fault, true
		}
		if fault.Times > 0 {
			if fault.Times--; fault.Times == 0 {
				delete(f.active, n)
			}
		}
	}
	return delay, what
}

func (f *Fault) matches(c *call) bool {
	return (f.Op == "" || f.Op == c.op) &&
		(f.Project == "" || f.Project == c.project) &&
		(f.Logstore == "" || f.Logstore == c.logstore) &&
		(f.Consumer == "" || f.Consumer == c.query.Get("consumer")) &&
		(f.Shard == nil || *f.Shard == c.shardNumber())
}

// shardNumber is the shard that a request is about, or -1.
func (c *call) shardNumber() int {
	switch c.op {
	case opGetCursor, opGetCursorTime, opPull, opSplit, opMerge:
		return c.shard
	case opCommit:
		if o, err := parseObject(c.body); err == nil {
			if n, ok := o.integer("shard"); ok {
				return int(n)
			}
		}
	}
	return -1
}

// apply delays, cuts or refuses a request as the faults say.
func (f *faultList) apply(c *call) error {
	delay, what := f.hit(c)
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.r.Context().Done():
			return c.r.Context().Err()
		}
	}
	switch {
	case what.CutBefore:
		panic(http.ErrAbortHandler) // net/http then closes the connection
	case what.Status != 0:
		c.cut = what.Cut
		return &apiError{status: what.Status, code: what.Code, message: what.Message}
	}
	c.cut = what.Cut
	return nil
}

// Evict ends the membership of a consumer, as if its lease had ended.
func (s *Server) Evict(project, logstore, group, consumer string) error {
	ls, err := s.findLogstore(project, logstore)
	if err != nil {
		return fmt.Errorf("slsserver: logstore %q: %w", logstore, errNotFound)
	}
	if g := ls.group(group); g == nil || !g.evict(consumer) {
		return fmt.Errorf("slsserver: consumer %q of group %q: %w", consumer, group, errNotFound)
	}
	return nil
}

// Expire drops the oldest n log groups of a shard, as if they were older than
// Config.Retention. A negative n drops all of them, and removes the shard if it is read-only.
func (s *Server) Expire(project, logstore string, shard, n int) error {
	ls, err := s.findLogstore(project, logstore)
	if err != nil {
		return fmt.Errorf("slsserver: logstore %q: %w", logstore, errNotFound)
	}
	sh := ls.shard(shard)
	if sh == nil {
		return fmt.Errorf("slsserver: shard %d: %w", shard, errNotFound)
	}
	before := int64(math.MaxInt64)
	if n >= 0 {
		begin, _, _ := sh.bounds()
		before = begin + int64(n)
	}
	return ls.expireBefore(sh, before)
}
