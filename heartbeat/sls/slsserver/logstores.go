package slsserver

import (
	"errors"
	"math"
)

// logstoreInfo is a logstore in the answer of GetLogStore. Clients need even the fields that have
// no meaning here.
type logstoreInfo struct {
	Name          string `json:"logstoreName"`
	TTL           int    `json:"ttl"` // days
	Shards        int    `json:"shardCount"`
	Tracking      bool   `json:"enable_tracking"`
	AutoSplit     bool   `json:"autoSplit"`
	MaxSplitShard int    `json:"maxSplitShard"`
	AppendMeta    bool   `json:"appendMeta"`
	Telemetry     string `json:"telemetryType"`
	Mode          string `json:"mode"`
	Created       int64  `json:"createTime"`
	Modified      int64  `json:"lastModifyTime"`
}

// forEver is the ttl, in days, that means that data never expires.
const forEver = 3650

func (s *Server) createLogstore(c *call) error {
	if err := c.mediaType("application/json"); err != nil {
		return err
	}
	o, err := parseObject(c.body)
	if err != nil {
		return badJSON(err)
	}
	name, ok := o.text("logstoreName")
	if !ok {
		return fail(400, "LogStoreInfoInvalid", "logstoreName is missing or of the wrong kind")
	}
	if !validName(name) {
		return badParameter("bad logstore name %q", name)
	}
	days, err := o.whole("ttl", forEver, forEver)
	if err != nil {
		return err
	}
	shards, err := o.whole("shardCount", defaultShards, s.cfg.MaxShards)
	if err != nil {
		return err
	}
	if err := s.roomFor(shards); err != nil {
		return err
	}
	err = s.makeLogstore(c.project, Logstore{Name: name, Shards: shards}, days)
	switch {
	case errors.Is(err, errExists):
		return fail(400, "LogStoreAlreadyExist", "logstore %s already exists", name)
	case errors.Is(err, errNotFound):
		return noProject(c.project)
	case err != nil:
		return err
	}
	return c.reply("", nil)
}

// shardRoom times Config.MaxShards bounds the shards of all logstores together. Without a bound, a
// few small requests could use up the memory: one can create thousands of shards.
const shardRoom = 10

// roomFor refuses new shards that would exceed the bound of shardRoom. The caller holds no lock, so
// concurrent requests may exceed it together.
func (s *Server) roomFor(shards int) error {
	limit := shardRoom * s.cfg.MaxShards
	for _, ls := range s.everyLogstore() {
		ls.mu.RLock()
		shards += len(ls.shards)
		ls.mu.RUnlock()
	}
	if shards > limit {
		return fail(403, "ShardQuotaExceed", "the server would have more than %d shards", limit)
	}
	return nil
}

// whole reads a whole number from 1 to most. It returns missing if the object has no such member.
func (o object) whole(name string, missing, most int) (int, error) {
	if !o.has(name) {
		return missing, nil
	}
	n, ok := o.integer(name)
	if !ok || n < 1 || n > int64(most) {
		return 0, fail(400, "LogStoreInfoInvalid", "the %s %.20v is not a whole number between 1 and %d", name, o[name], most)
	}
	return int(n), nil
}

func (s *Server) getLogstore(c *call) error {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return err
	}
	info := logstoreInfo{
		Name: ls.name, TTL: ls.ttl(), Telemetry: "None", Mode: "standard",
		Created: ls.created.Unix(), Modified: ls.created.Unix(),
	}
	for _, sh := range ls.all() {
		if _, _, readonly := sh.bounds(); !readonly {
			info.Shards++
		}
	}
	return c.replyJSON(info)
}

// ttl returns the days that the request named when it created the logstore. Otherwise it returns
// Config.Retention in days, rounded up, or forEver if that is zero.
func (ls *logstore) ttl() int {
	switch kept := ls.server.cfg.Retention; {
	case ls.days > 0:
		return ls.days
	case kept > 0:
		return min(int(math.Ceil(kept.Hours()/24)), forEver)
	}
	return forEver
}

func (s *Server) listLogstores(c *call) error {
	if _, err := s.findProject(c.project); err != nil {
		return err
	}
	all := s.logstoreNames(c.project)
	if c.query.Get("telemetryType") == "Metrics" {
		all = nil
	}
	names, total, err := page(c.query, "logstoreName", all)
	if err != nil {
		return err
	}
	return c.replyJSON(struct {
		Count     int      `json:"count"`
		Total     int      `json:"total"`
		Logstores []string `json:"logstores"`
	}{len(names), total, append([]string{}, names...)})
}

// getIndex answers that there is no index: this server has no search.
func (s *Server) getIndex(c *call) error {
	if _, err := c.logstoreOf(s); err != nil {
		return err
	}
	return fail(404, "IndexConfigNotExist", "index config doesn't exist")
}

func (s *Server) deleteLogstore(c *call) error {
	s.mu.Lock()
	ls, err := s.lookUp(c.project, c.logstore)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	delete(s.projects[c.project].logstores, c.logstore)
	s.mu.Unlock()
	ls.remove(noLogstore(c.logstore))
	return c.reply("", nil)
}

// remove stops the groups of a deleted logstore and drops its data. Later requests to the groups
// get the error why. A request that still runs finds no shard. A shard that it has already found
// takes no log group.
func (ls *logstore) remove(why error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, g := range ls.groups {
		g.stop(why)
	}
	now := ls.server.cfg.Clock()
	for _, sh := range ls.shards {
		sh.mu.Lock()
		if !sh.readonly() {
			sh.closedAt = now
		}
		sh.drop(len(sh.entries))
		sh.mu.Unlock()
	}
	ls.deleted, ls.shards, ls.groups = true, nil, nil
}
