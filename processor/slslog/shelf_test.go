package slslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

const testLog = "app"

// shelf is a Client with shards in memory. Its clock may differ from ours.
type shelf struct {
	ahead time.Duration // of its clock
	// least and most are what the client knows of that; zero: what it guesses.
	least, most time.Duration

	mu     sync.Mutex // guards the fields below
	shards []*shelfShard
	pulls  []sls.PullRequest
	froms  []sls.From
	lists  int

	beforePull   func()                              // without the lock
	beforeCursor func(sls.From)                      // without the lock
	afterPull    func(sls.PullRequest)               // without the lock
	damage       func(sls.PullRequest, *sls.Page)    // changes a page
	failPull     func(sls.PullRequest) error         // instead of a page
	failList     error                               // instead of a list
	odd          string                              // the status of shard 0, if it is an odd one
	listed       func(context.Context) error         // during a list, without the lock
	drop         func(shard int, g *shelfGroup) bool // the query
}

type shelfShard struct {
	origin int64
	groups []shelfGroup
	closed bool
}

type shelfGroup struct {
	at  time.Time
	raw []byte
}

func newShelf(shards int) *shelf {
	s := &shelf{}
	for i := range shards {
		s.shards = append(s.shards, &shelfShard{origin: int64(1000 * (i + 1))})
	}
	return s
}

// put stores groups with one log each, whose content "n" is its number in the shard.
func (s *shelf) put(shard, groups int) {
	for range groups {
		s.putSized(shard, 0)
	}
}

func (s *shelf) putSized(shard, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shards[shard]
	g := numbered(len(sh.groups), size)
	sh.groups = append(sh.groups, shelfGroup{at: time.Now().Add(s.ahead), raw: g})
}

// numbered makes a log group whose one log has its number, and some bytes.
func numbered(n, size int) []byte {
	var b Builder
	err := b.AddLog(time.Unix(1, 0), Content{"n", fmt.Append(nil, n)}, Content{"fill", make([]byte, size)})
	if err != nil {
		panic(err)
	}
	return slices.Clone(b.Bytes())
}

// set changes something.
func (s *shelf) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *shelf) open(shard int) { s.set(func() { s.shards[shard].closed = false }) }

func (s *shelf) close(shard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards[shard].closed = true
}

func (s *shelf) ClockOffset() (least, most time.Duration) {
	if s.least == 0 && s.most == 0 {
		return -5 * time.Second, 5 * time.Second
	}
	return s.least, s.most
}

func (s *shelf) Logstore() string { return testLog }

func (s *shelf) Cursor(_ context.Context, shard int, from sls.From) (string, error) {
	if f := s.beforeCursor; f != nil {
		f(from)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.froms = append(s.froms, from)
	sh := s.shards[shard]
	n := len(sh.groups)
	if from == sls.Begin {
		n = 0
	} else if from != sls.End {
		i := slices.IndexFunc(sh.groups, func(g shelfGroup) bool { return string(sls.At(g.at)) >= string(from) })
		if i >= 0 {
			n = i
		}
	}
	return formatCursor(sh.origin + int64(n)), nil
}

func (s *shelf) ListShards(ctx context.Context) ([]sls.Shard, error) {
	if s.listed != nil {
		if err := s.listed(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	var list []sls.Shard
	for i, sh := range s.shards {
		list = append(list, sls.Shard{Number: i, ReadOnly: sh.closed})
	}
	list[0].UnknownStatus = s.odd
	return list, s.failList
}

func (s *shelf) Pull(_ context.Context, r sls.PullRequest) (sls.Page, error) {
	if s.beforePull != nil {
		s.beforePull()
	}
	p, err := s.page(r)
	if s.afterPull != nil {
		s.afterPull(r)
	}
	return p, err
}

func (s *shelf) page(r sls.PullRequest) (sls.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls = append(s.pulls, r)
	if s.failPull != nil {
		if err := s.failPull(r); err != nil {
			return sls.Page{}, err
		}
	}
	sh := s.shards[r.Shard]
	at, ok := sls.CursorNumber(r.Cursor)
	if !ok || at > sh.origin+int64(len(sh.groups)) {
		return sls.Page{}, errors.New("the cursor is none")
	}
	end := sh.origin + int64(len(sh.groups))
	if r.EndCursor != "" {
		stop, ok := sls.CursorNumber(r.EndCursor)
		if !ok {
			return sls.Page{}, errors.New("the end cursor is none")
		}
		end = min(end, stop)
	}
	var raw []byte
	p := sls.Page{Compression: sls.None, CursorTime: time.Now().Add(s.ahead).Truncate(time.Second)}
	for ; at < end && p.RawDataCount < r.Count; at++ {
		g := &sh.groups[at-sh.origin]
		p.RawDataCount++
		if s.drop == nil || !s.drop(r.Shard, g) {
			raw = append(appendLength(raw, listGroup, len(g.raw)), g.raw...)
			p.Count++
		}
	}
	if i := at - sh.origin; i < int64(len(sh.groups)) {
		p.CursorTime = sh.groups[i].at.Truncate(time.Second)
	}
	if r.Query == "" && r.Processor == "" {
		p.RawDataCount = 0
	}
	p.Next, p.RawSize, p.Body = formatCursor(at), len(raw), append(r.Buffer[:0], raw...)
	if s.damage != nil {
		s.damage(r, &p)
	}
	return p, nil
}
