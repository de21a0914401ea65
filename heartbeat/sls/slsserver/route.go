package slsserver

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The operations, by their names in the service's documentation.
const (
	opCreateGroup    = "CreateConsumerGroup"
	opUpdateGroup    = "UpdateConsumerGroup"
	opDeleteGroup    = "DeleteConsumerGroup"
	opListGroups     = "ListConsumerGroup"
	opHeartbeat      = "ConsumerGroupHeartBeat"
	opCommit         = "ConsumerGroupUpdateCheckPoint"
	opGetCheckpoint  = "GetCheckPoint"
	opListShards     = "ListShards"
	opGetCursor      = "GetCursor"
	opGetCursorTime  = "GetCursorTime"
	opPull           = "PullLogs"
	opPut            = "PutLogs"
	opSplit          = "SplitShard"
	opMerge          = "MergeShards"
	opCreateProject  = "CreateProject"
	opGetProject     = "GetProject"
	opListProjects   = "ListProject"
	opDeleteProject  = "DeleteProject"
	opCreateLogstore = "CreateLogStore"
	opGetLogstore    = "GetLogStore"
	opListLogstores  = "ListLogStores"
	opDeleteLogstore = "DeleteLogStore"
	opGetIndex       = "GetIndex"
)

// handlers has the handler of each operation.
var handlers = map[string]func(*Server, *call) error{
	opCreateGroup:    (*Server).createGroup,
	opUpdateGroup:    (*Server).updateGroup,
	opDeleteGroup:    (*Server).deleteGroup,
	opListGroups:     (*Server).listGroups,
	opHeartbeat:      (*Server).heartbeat,
	opCommit:         (*Server).commit,
	opGetCheckpoint:  (*Server).getCheckpoint,
	opListShards:     (*Server).listShards,
	opGetCursor:      (*Server).getCursor,
	opGetCursorTime:  (*Server).getCursorTime,
	opPull:           (*Server).pull,
	opPut:            (*Server).put,
	opSplit:          (*Server).split,
	opMerge:          (*Server).merge,
	opCreateProject:  (*Server).createProject,
	opGetProject:     (*Server).getProject,
	opListProjects:   (*Server).listProjects,
	opDeleteProject:  (*Server).deleteProject,
	opCreateLogstore: (*Server).createLogstore,
	opGetLogstore:    (*Server).getLogstore,
	opListLogstores:  (*Server).listLogstores,
	opDeleteLogstore: (*Server).deleteLogstore,
	opGetIndex:       (*Server).getIndex,
}

// route is the operation of a request, and the project, logstore, group or shard it is about.
type route struct {
	op       string
	project  string
	unnamed  bool // the request names no project: the default one applies, or none
	logstore string
	group    string
	shard    int
	key      string // the hash key of a put
	routed   bool   // the put names a hash key

	// prefix is the first segment of the path with its slash, if it names the project. signedPath
	// is the path without prefix. Some clients sign it instead of the path.
	signedPath string
	prefix     string
}

// findRoute reads the route from the request line and the host. Repeated slashes count as one.
// Except for the root, a path that ends in a slash gets 405 InvalidMethod, as from the service.
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
		rt.op = map[string]string{http.MethodPost: opCreateLogstore, http.MethodGet: opListLogstores}[r.Method]
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

// ofProjects finds the operation of a request for the root path: it is about one project, or lists
// them.
func (rt *route) ofProjects(method string, q url.Values) {
	switch method {
	case http.MethodGet:
		rt.op = opGetProject
		if rt.unnamed || q.Has("offset") || q.Has("size") || q.Has("projectName") { // only lists have pages
			rt.op = opListProjects
		}
	case http.MethodPost:
		rt.op = opCreateProject
	case http.MethodDelete:
		rt.op = opDeleteProject
	}
}

// operation finds the operation from the path after the logstore.
func (rt *route) operation(method string, rest []string, q url.Values) error {
	switch {
	case len(rest) == 0:
		switch method {
		case http.MethodPost:
			rt.op = opPut
		case http.MethodDelete:
			rt.op = opDeleteLogstore
		case http.MethodGet:
			if q.Get("type") == "" { // with a type it is a search, which this server does not support
				rt.op = opGetLogstore
			}
		}
	case rest[0] == "index" && len(rest) == 1:
		if method == http.MethodGet {
			rt.op = opGetIndex
		}
	case rest[0] == "consumergroups" && len(rest) == 1:
		rt.op = map[string]string{http.MethodPost: opCreateGroup, http.MethodGet: opListGroups}[method]
	case rest[0] == "consumergroups" && len(rest) == 2:
		rt.group = rest[1]
		if !validName(rt.group) {
			return badParameter("bad consumer group name %q", rt.group)
		}
		switch method {
		case http.MethodPut:
			rt.op = opUpdateGroup
		case http.MethodDelete:
			rt.op = opDeleteGroup
		case http.MethodGet:
			rt.op = opGetCheckpoint
		case http.MethodPost:
			return rt.typed(q, "type", map[string]string{"heartbeat": opHeartbeat, "checkpoint": opCommit})
		}
	case rest[0] == "shards" && len(rest) == 1:
		if method == http.MethodGet {
			rt.op = opListShards
		}
	case rest[0] == "shards" && len(rest) == 2:
		return rt.ofShard(method, rest[1], q)
	}
	return nil
}

func (rt *route) ofShard(method, name string, q url.Values) error {
	if method == http.MethodPost && (name == "lb" || name == "route") {
		rt.op, rt.key, rt.routed = opPut, q.Get("key"), name == "route"
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || id < 0 {
		return badParameter("invalid shard id %q", name)
	}
	rt.shard = int(id)
	switch method {
	case http.MethodGet: // Java and Python send "log"
		return rt.typed(q, "type", map[string]string{
			"cursor": opGetCursor, "cursor_time": opGetCursorTime, "logs": opPull, "log": opPull,
		})
	case http.MethodPost:
		return rt.typed(q, "action", map[string]string{"split": opSplit, "merge": opMerge})
	}
	return nil
}

func (rt *route) typed(q url.Values, name string, ops map[string]string) error {
	rt.op = ops[q.Get(name)]
	if rt.op == "" {
		return badParameter("the parameter %s is %q", name, q.Get(name))
	}
	return nil
}

// splitPath splits an escaped path into unescaped segments. It refuses escaped slashes, because no
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
