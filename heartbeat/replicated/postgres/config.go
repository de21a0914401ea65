package postgres

import (
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// DefaultSchema is the schema of a Config without one.
const DefaultSchema = "rollcall"

// Config configures a group on PostgreSQL. Pool and Group are required.
type Config struct {
	// Pool connects to the server; use Tune to configure it. The caller closes it, after
	// the client. Required.
	Pool *pgxpool.Pool
	// Group is the name of the group; shardset.CheckName says which names it takes. Several
	// groups may share a schema. Required.
	Group string
	// Schema is the schema of the tables. Its name is a lower-case letter or underscore, then
	// up to 62 lower-case letters, underscores and digits. It must not begin with pg_, which
	// the server reserves. Empty means DefaultSchema.
	Schema string
	// Listen configures the connection for LISTEN. Make it with pgx.ParseConfig. It is
	// required if Pool leads to a pooler in transaction mode, and must lead to the same
	// database. Nil means the configuration of Pool, with its BeforeConnect and AfterConnect.
	Listen *pgx.ConnConfig

	// TTL is how long a member keeps its shards after its last heartbeat. It applies to a
	// group that this client creates; an existing group keeps its own. It should be longer
	// than a failover of the server. Zero means replicated.DefaultTTL.
	TTL time.Duration
	// Shards are the shards of a group that this client creates. Client.SetShards changes
	// those of an existing group.
	Shards []shardset.Shard
	// Ordered makes the children of a split shard wait for their ancestors. It must be the
	// same in all processes of a group.
	Ordered bool
	// Logger takes warnings and changes of state. Nil: nothing is logged.
	Logger *zap.Logger
}

// New returns the client of the group. It does no I/O: the first call looks for the schema,
// and the first write creates it. A Config with faults is refused with one
// *shardset.ConfigError that lists all of them.
func New(cfg Config) (*replicated.Client, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return replicated.New(openStore(cfg), cfg.replicated())
}

// NewStore returns the store that the client of New uses. It reads and writes the values of
// one group, for tools and tests. It ignores Shards and Ordered, and refuses a Config as New
// does.
func NewStore(cfg Config) (replicated.Store, error) {
	cfg.Shards = nil
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return openStore(cfg), nil
}

// replicated returns the part of the Config that does not depend on PostgreSQL.
func (c Config) replicated() replicated.Config {
	return replicated.Config{Group: c.Group, TTL: c.TTL, Shards: c.Shards, Ordered: c.Ordered, Logger: c.Logger}
}

var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// complete sets the defaults. It returns a *shardset.ConfigError that lists all faults, or nil.
func (c *Config) complete() error {
	if c.Schema == "" {
		c.Schema = DefaultSchema
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	faults := &shardset.ConfigError{Config: "postgres.Config"}
	if c.Pool == nil {
		faults.Add("Pool", "is nil")
	}
	if !schemaPattern.MatchString(c.Schema) || strings.HasPrefix(c.Schema, "pg_") {
		faults.Add("Schema", "is %.80q; it must be a lower-case letter or '_', then up to 62 of these and digits, "+
			"and must not begin with pg_", c.Schema)
	}
	c.replicated().AddFaults(faults)
	return faults.Err()
}
