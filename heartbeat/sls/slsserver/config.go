package slsserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config is what a Server is made with. The zero value is a server without projects.
type Config struct {
	// Projects exist from the start.
	Projects []Project
	// DefaultProject serves requests that name none. Empty means the first of Projects.
	DefaultProject string
	// HostSuffixes are the domains under which the first label of a host is a project. A host that
	// is one of them names none. Case does not matter. Nil means log.aliyuncs.com, sls.aliyuncs.com,
	// sls.test and localhost. Without Keys no other hosts are served, except loopback addresses.
	HostSuffixes []string

	// Keys are who may sign requests. Without any, signatures are not looked at.
	Keys []Key
	// Clock is what the server takes for the time, and says so in the Date of its answers.
	// Nil means time.Now. A clock that differs from the clients' shows how they bear that.
	Clock func() time.Time
	// ClockSkew is how far a signed request's date may be off. Zero means 15 minutes.
	ClockSkew time.Duration
	// UnsignedPayload takes V4 requests whose signature does not cover the body.
	UnsignedPayload bool
	// Insecure allows listening on other than loopback addresses without Keys, and serves
	// them under any host.
	Insecure bool

	// Retention is how long log groups are kept. Zero means for ever.
	Retention time.Duration
	// RetentionBytes bounds the memory of a shard's log groups. Each counts for 128 bytes
	// and its size, raw or as it is kept, whichever is larger. The oldest are dropped for
	// new ones; a log group that alone is larger is refused. Zero means 256 MiB, negative
	// no bound.
	RetentionBytes int64
	// ExpiredFromBegin reads from the oldest log group where a cursor has expired. Without
	// it such a cursor gets InvalidCursor.
	ExpiredFromBegin bool

	// MaxPageBytes is how many raw bytes end a page. Zero means 4 MiB.
	MaxPageBytes int
	// MaxPutBytes bounds a log group, compressed and raw. Zero means 10 MiB; 32 MiB is the most.
	MaxPutBytes int
	// CheckLogTime refuses logs older than 7 days or more than 15 minutes ahead.
	CheckLogTime bool
	// MaxGroups bounds the groups of a logstore. Zero means 30, as in the service.
	MaxGroups int
	// MaxConsumers bounds the consumers of a group. Zero means 10,000.
	MaxConsumers int
	// MaxShards bounds the shards of a logstore, read-only ones included. Zero means 10,000.
	// With ten times as many in all logstores together, requests make no more.
	MaxShards int
	// MaxInFlight bounds the requests at work; the others get 503 ServerBusy. Zero
	// means 1024.
	MaxInFlight int
	// MisspeltCodes spells ConsumerNotExsit and ShardNotExsit as some clients do.
	MisspeltCodes bool

	// Logger gets what is worth knowing. Nil means silence.
	Logger *zap.Logger
}

// Project is a project and its logstores.
type Project struct {
	Name      string
	Logstores []Logstore
	// Processors are stored queries, by name, that PullLogs may refer to.
	Processors map[string]string
}

// Logstore is a logstore to create.
type Logstore struct {
	Name string
	// Shards is into how many shards the key space is divided at first. Zero means 2.
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

// withDefaults returns the configuration with its zeros replaced, or every fault.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.DefaultProject == "" && len(c.Projects) > 0 {
		c.DefaultProject = c.Projects[0].Name
	}
	if c.DefaultProject != "" && !validName(c.DefaultProject) {
		bad("DefaultProject: bad name %q", c.DefaultProject)
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
	if c.ClockSkew == 0 {
		c.ClockSkew = defaultClockSkew
	}
	for _, n := range []struct {
		name  string
		field *int
		zero  int
	}{
		{"MaxPageBytes", &c.MaxPageBytes, defaultPageBytes},
		{"MaxPutBytes", &c.MaxPutBytes, defaultPutBytes},
		{"MaxGroups", &c.MaxGroups, defaultMaxGroups},
		{"MaxConsumers", &c.MaxConsumers, defaultMaxConsumers},
		{"MaxShards", &c.MaxShards, defaultMaxShards},
		{"MaxInFlight", &c.MaxInFlight, defaultInFlight},
	} {
		if *n.field < 0 {
			bad("%s is %d; it must not be negative", n.name, *n.field)
		}
		if *n.field == 0 {
			*n.field = n.zero
		}
	}
	if c.MaxPutBytes > maxPutBytes {
		bad("MaxPutBytes is %d; it must be at most %d", c.MaxPutBytes, maxPutBytes)
	}
	if c.ClockSkew < 0 {
		bad("ClockSkew is %v; it must not be negative", c.ClockSkew)
	}
	if c.Retention < 0 {
		bad("Retention is %v; it must not be negative", c.Retention)
	}
	for _, p := range c.Projects {
		if err := p.validate(c.MaxShards); err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := newKeyring(c.Keys); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("slsserver: %w", errors.Join(faults...))
	}
	return c, nil
}

func (p Project) validate(maxShards int) error {
	var faults []error
	if !validName(p.Name) {
		faults = append(faults, fmt.Errorf("project: bad name %q", p.Name))
	}
	for _, l := range p.Logstores {
		if err := l.validate(maxShards); err != nil {
			faults = append(faults, fmt.Errorf("project %q: %w", p.Name, err))
		}
	}
	for id, query := range p.Processors {
		if _, err := parseQuery(query); err != nil || !validName(id) {
			faults = append(faults, fmt.Errorf("project %q: processor %q: bad name or query: %v", p.Name, id, err))
		}
	}
	return errors.Join(faults...)
}

func (l Logstore) validate(maxShards int) error {
	if !validName(l.Name) {
		return fmt.Errorf("logstore: bad name %q", l.Name)
	}
	if l.Shards < 0 || l.Shards > maxShards {
		return fmt.Errorf("logstore %q: %d shards are not between 0 and %d", l.Name, l.Shards, maxShards)
	}
	return nil
}
