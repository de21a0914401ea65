package slsserver

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Op is an operation of the protocol. Its value is the operation's name in the service's
// documentation.
type Op string

// The operations.
const (
	OpCreateGroup   Op = "CreateConsumerGroup"
	OpUpdateGroup   Op = "UpdateConsumerGroup"
	OpDeleteGroup   Op = "DeleteConsumerGroup"
	OpListGroups    Op = "ListConsumerGroup"
	OpHeartbeat     Op = "ConsumerGroupHeartBeat"
	OpCommit        Op = "ConsumerGroupUpdateCheckPoint"
	OpGetCheckpoint Op = "GetCheckPoint"
	OpListShards    Op = "ListShards"
	OpGetCursor     Op = "GetCursor"
	OpGetCursorTime Op = "GetCursorTime"
	OpPull          Op = "PullLogs"
	OpPut           Op = "PutLogs"
	OpSplit         Op = "SplitShard"
	OpMerge         Op = "MergeShards"

	OpCreateProject  Op = "CreateProject"
	OpGetProject     Op = "GetProject"
	OpListProjects   Op = "ListProject"
	OpDeleteProject  Op = "DeleteProject"
	OpCreateLogstore Op = "CreateLogStore"
	OpGetLogstore    Op = "GetLogStore"
	OpListLogstores  Op = "ListLogStores"
	OpDeleteLogstore Op = "DeleteLogStore"
	OpGetIndex       Op = "GetIndex"
)

var operations = [...]Op{
	OpCreateGroup, OpUpdateGroup, OpDeleteGroup, OpListGroups, OpHeartbeat, OpCommit, OpGetCheckpoint,
	OpListShards, OpGetCursor, OpGetCursorTime, OpPull, OpPut, OpSplit, OpMerge,
	OpCreateProject, OpGetProject, OpListProjects, OpDeleteProject,
	OpCreateLogstore, OpGetLogstore, OpListLogstores, OpDeleteLogstore, OpGetIndex,
}

// handlers has what serves each operation, in the order of operations.
var handlers = [len(operations)]func(*Server, *call) error{
	(*Server).createGroup, (*Server).updateGroup, (*Server).deleteGroup, (*Server).listGroups, (*Server).heartbeat,
	(*Server).commit, (*Server).getCheckpoint, (*Server).listShards, (*Server).getCursor, (*Server).getCursorTime,
	(*Server).pull, (*Server).put, (*Server).split, (*Server).merge,
	(*Server).createProject, (*Server).getProject, (*Server).listProjects, (*Server).deleteProject,
	(*Server).createLogstore, (*Server).getLogstore, (*Server).listLogstores, (*Server).deleteLogstore, (*Server).getIndex,
}

func opIndex(op Op) int { return slices.Index(operations[:], op) }

// route says what a request asks for.
type route struct {
	op       Op
	project  string
	unnamed  bool // the project is the default one, or none
	logstore string
	group    string
	shard    int
	key      string // hash key of a put
	routed   bool   // the put names a key

	// What a client may have signed instead of what it sent: the path without the
	// project's segment, and that segment.
	signedPath string
	prefix     string
}

// findRoute reads the request line and the host. Slashes may be doubled; a trailing one is an
// empty name, for which the service has this very message.
func (s *Server) findRoute(r *http.Request, q url.Values) (route, error) {
	var rt route
	path := r.URL.EscapedPath()
	if len(path) > maxTarget {
		return rt, badParameter("the path has more than %d bytes", maxTarget)
	}
	segments, err := splitPath(path)
	if err != nil {
		return rt, err
	}
	if segments, err = s.pickProject(&rt, r.Host, segments); err != nil {
		return rt, err
	}
	root := len(segments) == 0
	rt.signedPath = "/" + strings.Join(segments, "/")
	if strings.HasSuffix(path, "/") && !root {
		return rt, noMethod(rt.signedPath + "/")
	}
	if rt.project != "" && !validName(rt.project) {
		return rt, noProject(strconv.Quote(excerpt(rt.project, maxShown)))
	}
	switch {
	case root:
		rt.ofProjects(r.Method, q)
	case rt.project == "":
		return rt, fail(400, "InvalidHost", "neither the host nor the path names a project")
	case len(segments) == 1 && segments[0] == "logstores":
		rt.op = map[string]Op{http.MethodPost: OpCreateLogstore, http.MethodGet: OpListLogstores}[r.Method]
	case segments[0] == "logstores":
		rt.logstore = segments[1]
		if !validName(rt.logstore) {
			return rt, badParameter("bad logstore name %q", rt.logstore)
		}
		if err := rt.operation(r.Method, segments[2:], q); err != nil {
			return rt, err
		}
	}
	if rt.op == "" {
		return rt, noMethod(rt.signedPath)
	}
	return rt, nil
}

// ofProjects reads a request for the root: what it wants of one project, or of all.
func (rt *route) ofProjects(method string, q url.Values) {
	switch method {
	case http.MethodGet:
		rt.op = OpGetProject
		if rt.unnamed || q.Has("offset") || q.Has("size") || q.Has("projectName") { // only a list comes in pages
			rt.op = OpListProjects
		}
	case http.MethodPost:
		rt.op = OpCreateProject
	case http.MethodDelete:
		rt.op = OpDeleteProject
	}
}

// operation reads what follows the logstore in a path.
func (rt *route) operation(method string, rest []string, q url.Values) error {
	switch {
	case len(rest) == 0:
		switch method {
		case http.MethodPost:
			rt.op = OpPut
		case http.MethodDelete:
			rt.op = OpDeleteLogstore
		case http.MethodGet:
			if q.Get("type") == "" { // with one it is a search, which is not there
				rt.op = OpGetLogstore
			}
		}
	case rest[0] == "index" && len(rest) == 1:
		if method == http.MethodGet {
			rt.op = OpGetIndex
		}
	case rest[0] == "consumergroups" && len(rest) == 1:
		rt.op = map[string]Op{http.MethodPost: OpCreateGroup, http.MethodGet: OpListGroups}[method]
	case rest[0] == "consumergroups" && len(rest) == 2:
		rt.group = rest[1]
		if !validName(rt.group) {
			return badParameter("bad consumer group name %q", rt.group)
		}
		switch method {
		case http.MethodPut:
			rt.op = OpUpdateGroup
		case http.MethodDelete:
			rt.op = OpDeleteGroup
		case http.MethodGet:
			rt.op = OpGetCheckpoint
		case http.MethodPost:
			return rt.typed(q, "type", map[string]Op{"heartbeat": OpHeartbeat, "checkpoint": OpCommit})
		}
	case rest[0] == "shards" && len(rest) == 1:
		if method == http.MethodGet {
			rt.op = OpListShards
		}
	case rest[0] == "shards" && len(rest) == 2:
		return rt.ofShard(method, rest[1], q)
	}
	return nil
}

func (rt *route) ofShard(method, name string, q url.Values) error {
	if method == http.MethodPost && (name == "lb" || name == "route") {
		rt.op, rt.key, rt.routed = OpPut, q.Get("key"), name == "route"
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || id < 0 {
		return badParameter("invalid shard id %q", name)
	}
	rt.shard = int(id)
	switch method {
	case http.MethodGet: // Java and Python say log
		return rt.typed(q, "type", map[string]Op{
			"cursor": OpGetCursor, "cursor_time": OpGetCursorTime, "logs": OpPull, "log": OpPull,
		})
	case http.MethodPost:
		return rt.typed(q, "action", map[string]Op{"split": OpSplit, "merge": OpMerge})
	}
	return nil
}

func (rt *route) typed(q url.Values, name string, ops map[string]Op) error {
	rt.op = ops[q.Get(name)]
	if rt.op == "" {
		return badParameter("the parameter %s is %q", name, q.Get(name))
	}
	return nil
}

// splitPath divides an escaped path. Escaped slashes stay within their segment, where no
// name can have them.
func splitPath(path string) ([]string, error) {
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s == "" {
			continue
		}
		if strings.IndexByte(s, '%') >= 0 {
			var err error
			if s, err = url.PathUnescape(s); err != nil {
				return nil, badParameter("bad escape in the path")
			}
		}
		if s == "." || s == ".." || strings.ContainsAny(s, "/\x00\r\n") {
			return nil, badParameter("bad path segment %q", s)
		}
		segments = append(segments, s)
	}
	return segments, nil
}
