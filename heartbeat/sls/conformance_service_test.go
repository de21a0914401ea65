package sls_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// service is one group of a server, as the suite wants it. Three things have to be
// translated: shard numbers, because a server numbers its shards as they are born; the
// suite's positions, which are any text, and here must be cursors; and the end of a
// shard, which no heartbeat carries: it is a commit of the end of a read-only shard.
type service struct {
	srv    *slsserver.Server
	config sls.Config
	admin  *sls.Client
	number map[int]int // the server's, of a shard of the suite
	name   map[int]int // and back

	mu      sync.Mutex // guards the fields below
	shards  int        // there ever were
	over    map[int]bool
	cursors map[processor.Position]int64
	texts   map[int64]processor.Position
}

func conformance(ttl time.Duration, connect func(testing.TB, *slsserver.Server) (string, http.RoundTripper)) heartbeattest.Config {
	return heartbeattest.Config{TTL: ttl, New: func(t testing.TB, o heartbeattest.Options) heartbeattest.Service {
		first := o.Shards[0].ID.Log
		if slices.ContainsFunc(o.Shards, func(s shardset.Shard) bool { return s.ID.Log != first }) {
			t.Skip("a group belongs to one logstore")
		}
		srv, err := slsserver.New(slsserver.Config{Projects: []slsserver.Project{{Name: "p"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = srv.Close() })
		s := &service{
			srv: srv, number: map[int]int{}, name: map[int]int{}, shards: len(o.Shards), over: map[int]bool{},
			cursors: map[processor.Position]int64{}, texts: map[int64]processor.Position{},
		}
		s.config = sls.Config{
			Project: "p", Logstore: first, Group: "g", Timeout: o.TTL, Ordered: o.Ordered,
			MustExist: true, // a process that starts after the group was deleted must not make it
		}
		s.config.Endpoint, s.config.Transport = connect(t, srv)
		if s.admin, err = s.client(t); err != nil {
			t.Fatal(err)
		}
		s.layOut(t, o.Shards)
		if err := s.admin.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		return heartbeattest.Service{
			Dial: func() (heartbeat.Client, processor.Checkpoints, error) {
				c, err := s.client(t)
				m := &member{Client: c, s: s}
				return m, m, err
			},
			SetShards: func(list []shardset.Shard) error { return s.setShards(ctx, list) },
			End:       func(id shardset.ID) error { return s.end(ctx, id.Number) },
			Delete:    func() error { return s.admin.DeleteGroup(ctx, "g") },
		}
	}}
}

func (s *service) client(t testing.TB) (*sls.Client, error) {
	c, err := sls.New(s.config)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// layOut makes the shards. Of those without parents the first two are read-only, where
// there are enough of them: they were merged into the last one.
func (s *service) layOut(t testing.TB, list []shardset.Shard) {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	n, ctx := len(list), t.Context()
	create := func(shards int) {
		check(s.srv.CreateLogstore("p", slsserver.Logstore{Name: s.config.Logstore, Shards: shards}))
	}
	for i := range list {
		s.number[i] = i
	}
	switch {
	case isFamily(list):
		create(2)
		check(s.split(ctx, 0)) // into 2 and 3
		check(s.merge(ctx, 2)) // with 3, into 4
		s.number = map[int]int{0: 0, 1: 2, 2: 3, 3: 4, 4: 1}
	case slices.ContainsFunc(list, func(s shardset.Shard) bool { return s.Parents != nil }):
		t.Skip("the test cannot make a family like this one")
	case n < 3:
		create(n)
	default:
		create(n - 1)
		check(s.merge(ctx, 0))
	}
	for name, number := range s.number {
		s.name[number] = name
	}
}

// isFamily recognises the one family of the suite: 0, split into 1 and 2, which were
// merged into 3; and 4.
func isFamily(list []shardset.Shard) bool {
	var parents []string
	for _, s := range list {
		p := ""
		for _, id := range s.Parents {
			p += strconv.Itoa(id.Number)
		}
		parents = append(parents, p)
	}
	return slices.Equal(parents, []string{"", "0", "0", "12", ""})
}

// fill puts a log group into every shard that takes one: a shard that never had data is complete as soon
// as it is read-only, and the suite decides when a shard is complete.
func (s *service) fill(ctx context.Context) ([]sls.Shard, error) {
	list, err := s.admin.ListShards(ctx)
	for _, sh := range list {
		if err == nil && !sh.ReadOnly {
			err = s.admin.Put(ctx, []byte("\x0a\x02\x08\x01"), sls.PutOptions{HashKey: sh.BeginKey}) // one log
		}
	}
	return list, err
}

func (s *service) merge(ctx context.Context, number int) error {
	_, err := s.fill(ctx)
	if err == nil {
		_, err = s.admin.MergeShards(ctx, number)
	}
	return err
}

// split divides a shard in the middle of its range.
func (s *service) split(ctx context.Context, number int) error {
	list, err := s.fill(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(sh sls.Shard) bool { return sh.Number == number })
	key := func(text string) *big.Int {
		n, _ := new(big.Int).SetString(text, 16)
		return n
	}
	middle := new(big.Int).Add(key(list[i].BeginKey), key(list[i].EndKey))
	_, err = s.admin.SplitShard(ctx, number, fmt.Sprintf("%032x", middle.Rsh(middle, 1)))
	return err
}

// setShards grows the list by splitting shards, and by merging two if one is missing.
// A shard leaves it when it is complete, and comes back when it is opened again.
func (s *service) setShards(ctx context.Context, list []shardset.Shard) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[int]bool{}
	most := 0
	for _, sh := range list {
		wanted[sh.ID.Number] = true
		most = max(most, sh.ID.Number+1)
	}
	for n := range s.shards {
		var err error
		switch {
		case !wanted[n] && !s.over[n]:
			err = s.end(ctx, n)
		case wanted[n] && s.over[n]:
			err = s.reopen(n)
		}
		if err != nil {
			return err
		}
		s.over[n] = !wanted[n]
	}
	for next := 2; s.shards < most; next++ {
		if most-s.shards == 1 {
			if err := s.merge(ctx, next); err != nil {
				return err
			}
		} else if err := s.split(ctx, next); err != nil {
			return err
		}
		for range min(2, most-s.shards) {
			s.number[s.shards], s.name[s.shards] = s.shards, s.shards
			s.shards++
		}
	}
	return nil
}

// end commits the end of a read-only shard, as its owner does when it has read it.
func (s *service) end(ctx context.Context, name int) error {
	number := s.number[name]
	state, err := s.srv.Group("p", s.config.Logstore, "g")
	if err != nil {
		return err
	}
	for _, sh := range state.Shards {
		if sh.ID.Number != number {
			continue
		}
		cursor, err := s.admin.Cursor(ctx, number, sls.End)
		if err != nil {
			return err
		}
		if err := s.admin.Save(ctx, processor.Owner{Member: sh.Owner, Lease: shardset.Lease{ID: shardset.ID{Log: s.config.Logstore, Number: number}}}, processor.Position(cursor)); err != nil {
			return err
		}
	}
	if state, err = s.srv.Group("p", s.config.Logstore, "g"); err == nil && !slices.Contains(state.Complete, number) {
		err = fmt.Errorf("shard %d is not over", number)
	}
	return err
}

// reopen sets a shard back with a forced commit, which the client does not make. The
// suite takes the shard for a new one, so its position stands for none.
func (s *service) reopen(name int) error {
	target := "http://p.127.0.0.1/logstores/" + s.config.Logstore + "/consumergroups/g?type=checkpoint&forceSuccess=true"
	body := fmt.Sprintf(`{"shard":%d,"checkpoint":%q}`, s.number[name], cursor(0))
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.srv.ServeHTTP(w, r); w.Code != http.StatusOK {
		return fmt.Errorf("a forced commit: %d %s", w.Code, w.Body)
	}
	return nil
}

func cursor(n int64) string { return base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, n, 10)) }

// cursorOf returns the cursor that stands for a position of the suite. Those cursors are
// older than all data. The suite does not read from them.
func (s *service) cursorOf(p processor.Position) processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == "" {
		return ""
	}
	n, ok := s.cursors[p]
	if !ok {
		n = int64(len(s.cursors) + 1)
		s.cursors[p], s.texts[n] = n, p
	}
	return processor.Position(cursor(n))
}

// textOf is cursorOf's inverse.
func (s *service) textOf(p processor.Position) (processor.Position, bool, error) {
	digits, err := base64.StdEncoding.DecodeString(string(p))
	if err != nil {
		return "", false, err
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if n == 0 || err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.texts[n]
	if !ok {
		return "", false, fmt.Errorf("the position %s was never committed", digits)
	}
	return text, true, nil
}

// id translates the ID of a shard.
func (s *service) id(id shardset.ID, numbers map[int]int) shardset.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := numbers[id.Number]
	if !ok {
		n = -1 - id.Number // the suite says that it never had this one
	}
	id.Number = n
	return id
}

// member is a client that translates.
type member struct {
	*sls.Client
	s *service
}

func (m *member) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	r.Held = m.translate(r.Held, m.s.number)
	a, err := m.Client.Beat(ctx, r)
	a.Grants = m.translate(a.Grants, m.s.name)
	return a, err
}

func (m *member) translate(grants []shardset.Grant, numbers map[int]int) []shardset.Grant {
	var list []shardset.Grant
	for _, g := range grants {
		g.ID = m.s.id(g.ID, numbers)
		list = append(list, g)
	}
	return list
}

func (m *member) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	o.Lease.ID = m.s.id(o.Lease.ID, m.s.number)
	p, found, err := m.Client.Load(ctx, o)
	if err != nil || !found {
		return "", false, err
	}
	return m.s.textOf(p)
}

func (m *member) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	o.Lease.ID = m.s.id(o.Lease.ID, m.s.number)
	return m.Client.Save(ctx, o, m.s.cursorOf(p))
}
