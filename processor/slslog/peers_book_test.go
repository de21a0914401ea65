package slslog_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// peerCall is a call of a worker.
type peerCall struct {
	member  string
	at      time.Time
	kind    string // heartbeat, checkpoint, logs, cursor; empty for others
	shard   int
	body    string
	cursor  string // of a checkpoint or a pull
	forced  bool
	foreign bool // a commit of a member that did not hold the shard
	status  int  // zero: there was no answer
}

func newPeerCall(member string, r *http.Request, body []byte) peerCall {
	q := r.URL.Query()
	c := peerCall{member: member, at: time.Now(), kind: q.Get("type"), shard: -1, body: string(body), cursor: q.Get("cursor")}
	if c.kind == "checkpoint" {
		var w struct {
			Shard      int    `json:"shard"`
			Checkpoint string `json:"checkpoint"`
		}
		_ = json.Unmarshal(body, &w)
		c.shard, c.cursor, c.forced = w.Shard, w.Checkpoint, q.Get("forceSuccess") != "false"
	}
	if _, rest, ok := strings.Cut(r.URL.Path, "/shards/"); ok {
		if n, err := strconv.Atoi(rest); err == nil {
			c.shard = n
		}
	}
	return c
}

func (p *peers) observe(c peerCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.member != "" {
		p.calls = append(p.calls, c)
	}
}

// forget drops the record of what went over the lines: a new group begins from the start.
func (p *peers) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}

// find returns the settings of a group, as the service has them.
func (p *peers) find(name string) (sls.Group, bool) {
	p.t.Helper()
	groups, err := p.admin.ListGroups(p.t.Context())
	p.check(err)
	for _, g := range groups {
		if g.Name == name {
			return g, true
		}
	}
	return sls.Group{}, false
}

// owner returns who holds the shard of a commit, by the server's own book.
func (p *peers) owner(c peerCall) string {
	if c.kind != "checkpoint" {
		return ""
	}
	p.mu.Lock()
	srv := p.srv
	p.mu.Unlock()
	if srv == nil {
		return ""
	}
	state, err := srv.Group("p", "log", "g")
	if err != nil {
		return ""
	}
	for _, s := range state.Shards {
		if s.ID.Number == c.shard {
			return s.Owner
		}
	}
	return ""
}

// made returns the calls of one kind that a member has made; of all for "".
func (p *peers) made(member, kind string) []peerCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.calls), func(c peerCall) bool {
		return c.kind != kind || member != "" && c.member != member
	})
}

// verify stops the workers and checks what must hold in any case: no commit was forced,
// and none went through that was another's to make, or that went back.
func (p *peers) verify() {
	p.t.Helper()
	for _, w := range p.workers {
		w.end()
	}
	last := map[int]peerCall{}
	for _, c := range p.made("", "checkpoint") {
		switch {
		case c.forced:
			p.t.Errorf("%s forced a commit to shard %d", c.member, c.shard)
		case c.status != http.StatusOK:
		case c.member == last[c.shard].member && c.cursor == last[c.shard].cursor:
			// The end of a closed shard may be committed twice; the first one closes it.
		case c.foreign:
			p.t.Errorf("%s committed to shard %d, which it does not hold", c.member, c.shard)
		case position(c.cursor) < position(last[c.shard].cursor):
			p.t.Errorf("%s took the checkpoint of shard %d back, behind that of %s", c.member, c.shard, last[c.shard].member)
		default:
			last[c.shard] = c
		}
	}
}

// position is the number in a cursor; zero for the empty one.
func position(cursor string) int64 {
	digits, _ := base64.StdEncoding.DecodeString(cursor)
	n, _ := strconv.ParseInt(string(digits), 10, 64)
	return n
}

// committed returns how many groups of a shard are before its checkpoint.
func (p *peers) committed(shard int) int {
	p.t.Helper()
	at, ok, err := p.admin.Load(p.t.Context(), processor.Owner{Lease: shardset.Lease{ID: shardset.ID{Log: "log", Number: shard}}})
	p.check(err)
	if !ok {
		return 0
	}
	begin, err := p.admin.Cursor(p.t.Context(), shard, sls.Begin)
	p.check(err)
	return int(position(string(at)) - position(begin))
}

// times returns how often a log was handled.
func (p *peers) times(n int) (count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.handled {
		if h.n == n {
			count++
		}
	}
	return count
}

// did returns what was begun, or handled, by a member on a shard; "" and -1 mean any.
func (p *peers) did(list *[]handling, member string, shard int) []handling {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(*list), func(h handling) bool {
		return member != "" && h.member != member || shard >= 0 && h.shard != shard
	})
}

// missing returns the logs of a kind that were not handled; "" means of any.
func (p *peers) missing(kind string) (list []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[int]bool{}
	for _, h := range p.handled {
		seen[h.n] = true
	}
	for n, k := range p.put {
		if !seen[n] && (kind == "" || k == kind) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// repeated returns the logs that were handled more than once.
func (p *peers) repeated() (list []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[int]int{}
	for _, h := range p.handled {
		if seen[h.n]++; seen[h.n] == 2 {
			list = append(list, h.n)
		}
	}
	return list
}
