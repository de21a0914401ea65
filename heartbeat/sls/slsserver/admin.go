package slsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// admin returns the handler of ServeAdmin. It refuses hosts other than loopback names, so that a
// web page cannot use it through a browser.
func (s *Server) admin() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { serveAdmin(w, r, f) })
	}
	handle("GET /state", s.adminState)
	handle("GET /stats", func(*http.Request) (any, error) { return s.Stats(), nil })
	handle("GET /faults", func(*http.Request) (any, error) { return s.faults.list(), nil })
	handle("POST /faults", func(r *http.Request) (any, error) {
		var f Fault
		if err := readAdmin(r, &f); err != nil {
			return nil, err
		}
		number, err := s.AddFault(f)
		return map[string]int{"number": number}, err
	})
	handle("DELETE /faults", func(*http.Request) (any, error) {
		s.ClearFaults()
		return struct{}{}, nil
	})
	handle("DELETE /faults/{number}", func(r *http.Request) (any, error) {
		n, err := strconv.Atoi(r.PathValue("number"))
		s.RemoveFault(n)
		return struct{}{}, err
	})
	handle("POST /logstores", func(r *http.Request) (any, error) {
		var a adminTarget
		if err := readAdmin(r, &a); err != nil {
			return nil, err
		}
		if err := s.makeProject(a.Project, ""); err != nil && !errors.Is(err, errExists) {
			return nil, err
		}
		return struct{}{}, s.CreateLogstore(a.Project, Logstore{Name: a.Logstore, Shards: a.Shards})
	})
	handle("POST /evict", func(r *http.Request) (any, error) {
		var a adminTarget
		if err := readAdmin(r, &a); err != nil {
			return nil, err
		}
		return struct{}{}, s.Evict(a.Project, a.Logstore, a.Group, a.Consumer)
	})
	handle("POST /expire", func(r *http.Request) (any, error) {
		var a adminTarget
		if err := readAdmin(r, &a); err != nil {
			return nil, err
		}
		n := -1
		if a.Groups != nil {
			n = *a.Groups
		}
		return struct{}{}, s.Expire(a.Project, a.Logstore, a.Shard, n)
	})
	return mux
}

type adminTarget struct {
	Project  string `json:"project"`
	Logstore string `json:"logstore"`
	Group    string `json:"group"`
	Consumer string `json:"consumer"`
	Shard    int    `json:"shard"`
	Shards   int    `json:"shards"`
	Groups   *int   `json:"groups"`
}

// ServeAdmin serves the requests below on l until Close, and closes l. They are for tests of
// several processes. Bodies have the content type application/json. ServeAdmin verifies no
// signature, and refuses an l that is not a loopback address.
//
//	GET    /state?project=P&logstore=L   the states of the groups: GroupState by name
//	GET    /stats                        how many requests came, by operation: Stats
//	GET    /faults                       the faults that are on, by number
//	POST   /faults                       a Fault; the answer is {"number"}
//	DELETE /faults, /faults/{number}     switches all off, or one
//	POST   /logstores                    {"project","logstore","shards"}; creates the project if needed
//	POST   /evict                        {"project","logstore","group","consumer"}
//	POST   /expire                       {"project","logstore","shard","groups"}; without "groups" all
func (s *Server) ServeAdmin(l net.Listener) error {
	if !isLoopback(l.Addr()) {
		return errors.Join(fmt.Errorf("slsserver: %s is not a loopback address", l.Addr()), l.Close())
	}
	return s.net.serve(l, s.admin(), s.log)
}

func serveAdmin(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
		http.Error(w, "not a loopback host", http.StatusForbidden)
		return
	}
	v, err := f(r)
	if err != nil {
		status := http.StatusBadRequest
		switch {
		case errors.Is(err, errNotFound):
			status = http.StatusNotFound
		case errors.Is(err, errExists):
			status = http.StatusConflict
		}
		http.Error(w, excerpt(err.Error(), maxMessage), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func readAdmin(r *http.Request, v any) error {
	if r.Header.Get("Content-Type") != "application/json" {
		return errors.New("the content type is not application/json")
	}
	d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("bad body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the body")
	}
	return nil
}

// GroupState is the state of a consumer group at one moment.
type GroupState struct {
	Timeout time.Duration
	Order   bool
	Members []group.MemberInfo
	// Shards are the shards that are not complete.
	Shards []group.ShardInfo
	// Complete are the IDs of the complete shards, as the package comment defines them.
	Complete []int
}

// Group returns the state of a consumer group.
func (s *Server) Group(project, logstore, name string) (GroupState, error) {
	ls, err := s.findLogstore(project, logstore)
	if err != nil {
		return GroupState{}, fmt.Errorf("slsserver: logstore %q: %w", logstore, errNotFound)
	}
	if c := ls.group(name); c != nil {
		return c.state(), nil
	}
	return GroupState{}, fmt.Errorf("slsserver: group %q: %w", name, errNotFound)
}

func (c *consumerGroup) state() GroupState {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.group.Expire(c.logstore.server.cfg.Clock())
	snap := c.group.Snapshot()
	st := GroupState{Timeout: snap.TTL, Order: c.order, Members: snap.Members}
	st.Shards = slices.DeleteFunc(snap.Shards, func(s group.ShardInfo) bool { return s.State == group.StateClosed })
	for _, sh := range c.shards {
		if c.isComplete(sh.id) {
			st.Complete = append(st.Complete, sh.id)
		}
	}
	return st
}

func (s *Server) adminState(r *http.Request) (any, error) {
	ls, err := s.findLogstore(r.FormValue("project"), r.FormValue("logstore"))
	if err != nil {
		return nil, errNotFound
	}
	ls.mu.RLock()
	groups := make([]*consumerGroup, 0, len(ls.groups))
	for _, g := range ls.groups {
		groups = append(groups, g)
	}
	ls.mu.RUnlock()
	state := map[string]GroupState{}
	for _, g := range groups {
		state[g.name] = g.state()
	}
	return state, nil
}
