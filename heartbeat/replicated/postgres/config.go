package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// DefaultSchema is the schema of a Config that names none.
const DefaultSchema = "rollcall"

// maxGroup is the longest name of a group, in bytes.
const maxGroup = 128

// Config is what a Client is made with.
type Config struct {
	// Pool is how to reach the server; Tune says how it should be configured. It stays the
	// caller's, who closes it after the Client. Required.
	Pool *pgxpool.Pool
	// Group is the group's name: 1 to 128 bytes of UTF-8 without NUL. Groups of
	// different names may share a schema. Required.
	Group string
	// Schema is the schema of the tables: a lower-case letter or underscore, then up to
	// 62 of these and digits; the server reserves names that begin with pg_. Empty means
	// DefaultSchema.
	Schema string
	// Listen is how to reach the server for the one connection that executes LISTEN. Nil
	// means as the Pool does, with its BeforeConnect and AfterConnect. It is for pools
	// that lead to a pooler in transaction mode, has to lead to the same database, and is
	// made by pgx.ParseConfig.
	Listen *pgx.ConnConfig

	// TTL is how long a member keeps its shards after its last heartbeat, of a group
	// that this Client makes; one that exists has its own. It should outlast a failover
	// of the server. Zero means replicated.DefaultTTL.
	TTL time.Duration
	// Shards are the shards of a group that this Client makes. SetShards changes those
	// of one that exists.
	Shards []group.Shard
	// Ordered makes the children of a split shard wait for their ancestors. All
	// processes of a group have to say the same.
	Ordered bool
	// Logger takes what is worth a look. Nil means silence.
	Logger *zap.Logger
}

// Fault is one thing that is wrong with a Config.
type Fault struct {
	Field  string // the name of the field
	Reason string
}

// ConfigError is what is wrong with the fields of a Config that are this package's own.
type ConfigError struct {
	Faults []Fault
}

func (e *ConfigError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = "the field " + f.Field + " " + f.Reason
	}
	return "postgres: bad config: " + strings.Join(parts, "; ")
}

func (e *ConfigError) addf(field, format string, args ...any) {
	e.Faults = append(e.Faults, Fault{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// New returns a Client of the group. It starts nothing and does no network: the schema
// is looked at by the first call, and made, if there is none, by the first write. A Config
// with faults gives one error that names all of them.
func New(cfg Config) (*replicated.Client, error) {
	s, faults := newStore(&cfg)
	c, err := replicated.New(s, replicated.Config{
		Group: cmp.Or(cfg.Group, "unnamed"), // that it is empty is among the faults already
		TTL:   cfg.TTL, Shards: cfg.Shards, Ordered: cfg.Ordered, Logger: cfg.Logger,
	})
	if err = errors.Join(faults, err); err != nil {
		return nil, err
	}
	return c, nil
}

// NewStore returns the store alone. It is a replicated.RecordClock,
// too. Of the Config only Pool, Group, Schema, Listen and Logger
// matter.
func NewStore(cfg Config) (replicated.Store, error) {
	s, err := newStore(&cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

var plain = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// complete fills in defaults and returns what is wrong, or nil.
func (c *Config) complete() error {
	faults := &ConfigError{}
	if c.Pool == nil {
		faults.addf("Pool", "is required")
	}
	if n := len(c.Group); n == 0 || n > maxGroup || !utf8.ValidString(c.Group) || strings.Contains(c.Group, "\x00") {
		faults.addf("Group", "is %q; want 1 to %d bytes of UTF-8 without NUL", c.Group, maxGroup)
	}
	if c.Schema == "" {
		c.Schema = DefaultSchema
	}
	if !plain.MatchString(c.Schema) || strings.HasPrefix(c.Schema, "pg_") {
		faults.addf("Schema", "is %q; want a lower-case letter or '_', then up to 62 of these and digits, and no pg_ in front", c.Schema)
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if len(faults.Faults) > 0 {
		return faults
	}
	return nil
}
