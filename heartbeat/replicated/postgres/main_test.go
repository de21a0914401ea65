package postgres

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// variable is the environment variable that names the server of the tests.
const variable = "ROLLCALL_POSTGRES"

// shared is the pool of all tests that need no server of their own; nil without one.
// They share a schema, too, and meet only by mistake.
var (
	shared       *pgxpool.Pool
	sharedSchema = newSchema()
)

// TestMain runs all tests at the same time, because they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	url := os.Getenv(variable)
	if url == "" {
		os.Exit(m.Run())
	}
	var err error
	if shared, err = open(url, 20); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", variable, err)
		os.Exit(1)
	}
	if err := Migrate(context.Background(), shared, sharedSchema); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	drop(shared, sharedSchema)
	shared.Close()
	os.Exit(code)
}

// open opens a pool.
func open(url string, conns int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = conns
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// needServer skips the test if there is no server.
func needServer(t testing.TB) {
	if shared == nil {
		t.Skipf("%s is not set; from the top of the checkout: export %s=$(.ci/postgres)", variable, variable)
	}
}

// newPool opens a pool for one test.
func newPool(t testing.TB, conns int32) *pgxpool.Pool {
	needServer(t)
	p, err := open(os.Getenv(variable), conns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// newSchema returns the name of a schema that does not exist.
func newSchema() string { return "test_" + strings.ToLower(rand.Text()) }

// ownSchema returns the name of a schema that the test may create. It is dropped at the end
// of the test.
func ownSchema(t testing.TB) string {
	needServer(t)
	name := newSchema()
	t.Cleanup(func() { drop(shared, name) })
	return name
}

func drop(p *pgxpool.Pool, schema string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := p.Exec(ctx, `DROP SCHEMA IF EXISTS `+schema+` CASCADE`); err != nil {
		fmt.Fprintf(os.Stderr, "drop the schema %s: %v\n", schema, err)
	}
}

// groupConfig returns the Config of a new group on the shared server.
func groupConfig(t testing.TB) Config {
	needServer(t)
	return Config{Pool: shared, Group: t.Name() + " " + rand.Text(), Schema: sharedSchema}
}

// dial returns the store of a group as one process sees it.
func dial(t testing.TB, cfg Config) *store {
	t.Helper()
	s, err := NewStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*store)
}

// newTestStore returns the store of a new group.
func newTestStore(t testing.TB) *store {
	t.Helper()
	return dial(t, groupConfig(t))
}

func record(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindRecord, Name: name}
}

func checkpoint(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindCheckpoint, Name: name}
}

var document = replicated.Key{Kind: replicated.KindDocument}

// swap writes a key. It fails the test on an error.
func swap(t testing.TB, s replicated.Store, k replicated.Key, old uint64, data string) uint64 {
	t.Helper()
	rev, err := s.Swap(t.Context(), k, old, []byte(data))
	if err != nil {
		t.Fatalf("Swap of %v over %d: %v", k, old, err)
	}
	return rev
}

func get(t testing.TB, s replicated.Store, k replicated.Key) replicated.Value {
	t.Helper()
	v, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatalf("Get of %v: %v", k, err)
	}
	return v
}
