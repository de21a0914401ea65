package slsserver

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is something that goes wrong on purpose. A request has to match every field of the
// first five that is set.
type Fault struct {
	Op       Op     `json:"op,omitempty"`
	Project  string `json:"project,omitempty"`
	Logstore string `json:"logstore,omitempty"`
	Consumer string `json:"consumer,omitempty"`
	Shard    *int   `json:"shard,omitempty"`

	// Skip lets so many matching requests pass first, and Times is how many it then
	// strikes. Zero means all.
	Skip  int `json:"skip,omitempty"`
	Times int `json:"times,omitempty"`

	// Latency delays the request, before it does anything.
	Latency time.Duration `json:"latency,omitempty"`
	// Status, unless it is zero, is answered in place of doing anything, with Code and
	// Message. All errors of the service have a code: a client that looks takes one without
	// for the page of a proxy.
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Cut breaks the connection in the middle of the answer's body: the request has been
	// carried out, and the client cannot know. With CutBefore nothing is done.
	Cut       bool `json:"cut,omitempty"`
	CutBefore bool `json:"cutBefore,omitempty"`
}

// Errors that the service is documented to give, ready for Faults.Add. A copy can be
// narrowed down by setting more fields.
var (
	ReadQuota = Fault{Op: OpPull, Status: 403, Code: "ReadQuotaExceed", Message: "Read QPS Exceed"}

	WriteQuota = Fault{Op: OpPut, Status: 403, Code: "WriteQuotaExceed", Message: "Write QPS Exceed"}

	NotMatch = Fault{
		Op: OpCommit, Status: 400, Code: "ConsumerNotMatch", Message: "the consumer does not hold the shard",
	}

	Unknown = Fault{
		Op: OpHeartbeat, Status: 400, Code: "NotExistConsumerWithBody",
		Message: "non-exist consumer with non-empty body of heartbeat message",
	}

	Busy = Fault{Status: 503, Code: "ServerBusy", Message: "the server is busy"}

	Internal = Fault{Status: 500, Code: "InternalServerError", Message: "internal error"}
)

// Faults switches faults on and off while the server runs. Safe for concurrent use.
type Faults struct {
	server *Server

	mu     sync.Mutex
	active map[int]*Fault
	last   int
}

// Faults returns the server's faults.
func (s *Server) Faults() *Faults { return s.faults }

// Add switches a fault on and returns its number. Of several that match a request all
// delay it, and the oldest that does more than that does it.
func (f *Faults) Add(fault Fault) (int, error) {
	switch {
	case fault.Op != "" && opIndex(fault.Op) < 0:
		return 0, fmt.Errorf("slsserver: there is no operation %q", fault.Op)
	case fault.Status != 0 && (fault.Status < 300 || fault.Status > 599):
		return 0, fmt.Errorf("slsserver: %d is not the status of an error", fault.Status)
	case fault.Latency < 0 || fault.Skip < 0 || fault.Times < 0:
		return 0, errors.New("slsserver: a fault has a negative number")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.active == nil {
		f.active = map[int]*Fault{}
	}
	f.last++
	f.active[f.last] = &fault
	return f.last, nil
}

// Remove switches a fault off.
func (f *Faults) Remove(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.active, number)
}

// Clear switches all faults off.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.active)
}

// List returns the faults that are on, by number. Skip and Times are what is left.
func (f *Faults) List() map[int]Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make(map[int]Fault, len(f.active))
	for n, fault := range f.active {
		list[n] = *fault
	}
	return list
}

// strike counts a request and returns what goes wrong with it.
func (f *Faults) strike(c *call) (delay time.Duration, what Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.active) == 0 {
		return 0, what
	}
	struck := false
	for _, n := range slices.Sorted(maps.Keys(f.active)) {
		fault := f.active[n]
		if !fault.matches(c) {
			continue
		}
		acts := fault.Status != 0 || fault.Cut || fault.CutBefore
		if acts && struck {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		delay += fault.Latency
		if acts {
			what, struck = *fault, true
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
	case OpGetCursor, OpGetCursorTime, OpPull, OpSplit, OpMerge:
		return c.shard
	case OpCommit:
		if o, err := parseObject(c.body); err == nil {
			if n, ok := o.integer("shard"); ok {
				return int(n)
			}
		}
	}
	return -1
}

// apply does to a request what the faults want.
func (f *Faults) apply(c *call) error {
	delay, what := f.strike(c)
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
		panic(http.ErrAbortHandler) // the server knows it and closes the connection
	case what.Status != 0:
		c.cut = what.Cut
		return &apiError{status: what.Status, code: what.Code, message: what.Message}
	}
	c.cut = what.Cut
	return nil
}

// Evict ends the membership of a consumer, as if it had not been heard of for too long.
// The error matches ErrNotFound.
func (f *Faults) Evict(project, logstore, group, consumer string) error {
	ls, err := f.server.findLogstore(project, logstore)
	if err != nil {
		return fmt.Errorf("slsserver: logstore %q: %w", logstore, ErrNotFound)
	}
	if g := ls.group(group); g == nil || !g.evict(consumer) {
		return fmt.Errorf("slsserver: consumer %q of group %q: %w", consumer, group, ErrNotFound)
	}
	return nil
}

// Expire drops the first n log groups that a shard still has, as if they were too old, or
// all if n is negative. A read-only shard without data is gone. The error matches
// ErrNotFound.
func (f *Faults) Expire(project, logstore string, shard, n int) error {
	ls, err := f.server.findLogstore(project, logstore)
	if err != nil {
		return fmt.Errorf("slsserver: logstore %q: %w", logstore, ErrNotFound)
	}
	sh := ls.shard(shard)
	if sh == nil {
		return fmt.Errorf("slsserver: shard %d: %w", shard, ErrNotFound)
	}
	before := int64(math.MaxInt64)
	if n >= 0 {
		begin, _, _ := sh.bounds()
		before = begin + int64(n)
	}
	return ls.expireAll(sh, before)
}
