package slsserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// Config configures a Server. The zero value makes a server without projects.
type Config struct {
	// Projects are the projects that New creates.
	Projects []Project
	// DefaultProject is the project of requests that name none. Empty means the first of
	// Projects.
	DefaultProject string
	// HostSuffixes are domains. In a host below one of them, the first label names the project; a
	// host that equals one names no project. Case does not matter. Without Keys the server serves
	// only these hosts and loopback names. Nil means log.aliyuncs.com, sls.aliyuncs.com, sls.test
	// and localhost.
	HostSuffixes []string

	// Keys may sign requests. Without keys the server does not verify signatures.
	Keys []Key
	// Clock is the server's clock. The Date of each answer comes from it; timers do not use it. Set
	// it to test clients whose clocks differ. Nil means time.Now.
	Clock func() time.Time
	// ClockSkew is how far the date of a signed request may be from Clock. Zero means 15 minutes.
	ClockSkew time.Duration
	// UnsignedPayload accepts V4 requests whose signature does not cover the body.
	UnsignedPayload bool
	// Insecure allows a server without Keys to listen on addresses that are not loopback ones,
	// and to serve all hosts.
	Insecure bool

	// Retention is how long the server keeps log groups. Zero means for ever.
	Retention time.Duration
	// RetentionBytes bounds the memory of a shard's log groups. If a new log group exceeds it, the
	// server drops the oldest ones. It refuses a log group that is larger than the bound. A log
	// group counts as its raw or compressed size, whichever is larger, plus 128 bytes. Zero means
	// 256 MiB, negative no bound.
	RetentionBytes int64
	// ExpiredFromBegin is for reads at a cursor whose data has expired: they begin at the oldest
	// log group instead of failing with InvalidCursor.
	ExpiredFromBegin bool

	// MaxPageBytes is the raw size at which a page ends. Zero means 4 MiB.
	MaxPageBytes int
	// MaxPutBytes bounds a log group, compressed and raw. Zero means 10 MiB; the maximum is 32 MiB.
	MaxPutBytes int
	// CheckLogTime makes the server refuse logs that are older than 7 days or more than 15 minutes
	// in the future.
	CheckLogTime bool
	// MaxGroups bounds the groups of a logstore. Zero means 30, as in the service.
	MaxGroups int
	// MaxConsumers bounds the consumers of a group. Zero means 10,000.
	MaxConsumers int
	// MaxShards bounds the shards of a logstore, read-only ones included. Zero means 10,000.
	// Requests that create a logstore or split a shard fail if all logstores together would have
	// more than ten times MaxShards.
	MaxShards int
	// MaxInFlight bounds the requests that the server works on at once; others get 503 ServerBusy.
	// Zero means 1024.
	MaxInFlight int
	// MisspeltCodes makes the server send the codes ConsumerNotExsit and ShardNotExsit, which some
	// clients expect.
	MisspeltCodes bool

	// Logger logs failures, expired consumers and, at the debug level, refused requests. Nil means
	// no log.
	Logger *zap.Logger
}

// Project is a project that New creates.
type Project struct {
	Name      string
	Logstores []Logstore
	// Processors are stored queries by name. PullLogs accepts the name as its parameter processor.
	Processors map[string]string
}

// Logstore is a logstore that New or CreateLogstore creates.
type Logstore struct {
	Name string
	// Shards is the number of shards when the logstore is created. Zero means 2.
	Shards int
}

const (
	defaultClockSkew      = 15 * time.Minute
	defaultRetentionBytes = 256 << 20
	defaultPageBytes      = 4 << 20
	defaultPutBytes       = 10 << 20
	maxPutBytes           = 32 << 20
	defaultMaxGroups      = 30
	defaultMaxConsumers   = 10_000
	defaultMaxShards      = 10_000
	defaultInFlight       = 1024
	defaultShards         = 2
)

// withDefaults replaces zero values with their defaults. The error lists every fault.
func (c Config) withDefaults() (Config, error) {
	faults := &shardset.ConfigError{Config: "slsserver.Config"}
	if c.DefaultProject == "" && len(c.Projects) > 0 {
		c.DefaultProject = c.Projects[0].Name
	} else if c.DefaultProject != "" {
		checkName(faults, "DefaultProject", c.DefaultProject)
	}
	if c.HostSuffixes == nil {
		c.HostSuffixes = []string{"log.aliyuncs.com", "sls.aliyuncs.com", "sls.test", "localhost"}
	}
	c.HostSuffixes = slices.Clone(c.HostSuffixes)
	for i, suffix := range c.HostSuffixes {
		c.HostSuffixes[i] = strings.ToLower(suffix)
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.RetentionBytes == 0 {
		c.RetentionBytes = defaultRetentionBytes
	}
	c.completeBounds(faults)
	for i, p := range c.Projects {
		p.check(faults, fmt.Sprintf("Projects[%d].", i), c.MaxShards)
	}
	checkKeys(faults, "Keys", c.Keys)
	return c, faults.Err()
}

func (c *Config) completeBounds(faults *shardset.ConfigError) {
	notNegative(faults, "ClockSkew", &c.ClockSkew, defaultClockSkew)
	notNegative(faults, "Retention", &c.Retention, 0)
	notNegative(faults, "MaxPageBytes", &c.MaxPageBytes, defaultPageBytes)
	notNegative(faults, "MaxPutBytes", &c.MaxPutBytes, defaultPutBytes)
	notNegative(faults, "MaxGroups", &c.MaxGroups, defaultMaxGroups)
	notNegative(faults, "MaxConsumers", &c.MaxConsumers, defaultMaxConsumers)
	notNegative(faults, "MaxShards", &c.MaxShards, defaultMaxShards)
	notNegative(faults, "MaxInFlight", &c.MaxInFlight, defaultInFlight)
	if c.MaxPutBytes > maxPutBytes {
		faults.Add("MaxPutBytes", "is %d; it must be at most %d", c.MaxPutBytes, maxPutBytes)
	}
}

// notNegative replaces zero with the default. A negative value is a fault.
func notNegative[N int | time.Duration](faults *shardset.ConfigError, field string, n *N, byDefault N) {
	if *n < 0 {
		faults.Add(field, "is %v; it must not be negative", *n)
	} else if *n == 0 {
		*n = byDefault
	}
}

func checkName(faults *shardset.ConfigError, field, name string) {
	if !validName(name) {
		faults.Add(field, "is %q; want %s", excerpt(name, maxShown), nameRule)
	}
}

func (p Project) check(faults *shardset.ConfigError, field string, maxShards int) {
	checkName(faults, field+"Name", p.Name)
	for i, l := range p.Logstores {
		l.check(faults, fmt.Sprintf("%sLogstores[%d].", field, i), maxShards)
	}
	for _, id := range slices.Sorted(maps.Keys(p.Processors)) {
		at := fmt.Sprintf("%sProcessors[%q]", field, id)
		if !validName(id) {
			faults.Add(at, "has a bad name; want %s", nameRule)
		}
		if _, err := parseQuery(p.Processors[id]); err != nil {
			faults.Add(at, "is no query that the server knows: %w", err)
		}
	}
}

func (l Logstore) check(faults *shardset.ConfigError, field string, maxShards int) {
	checkName(faults, field+"Name", l.Name)
	if l.Shards < 0 || l.Shards > maxShards {
		faults.Add(field+"Shards", "is %d; it must be between 0 and %d", l.Shards, maxShards)
	}
}
