package sls

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestNewReportsAllFaults(t *testing.T) {
	_, err := New(Config{
		Endpoint: "http://sls.example.com", Project: "my_project", Logstore: "a/b", Group: "../g", Member: "a\nb",
		Timeout: 1500 * time.Millisecond, RequestTimeout: -1, Signature: V4, Credentials: Static("", "x", ""),
	})
	var bad *shardset.ConfigError
	if !errors.As(err, &bad) {
		t.Fatalf("New returned %v, want a *shardset.ConfigError", err)
	}
	var fields []string
	for _, f := range bad.Faults {
		fields = append(fields, f.Field)
		if !strings.Contains(err.Error(), f.Field+" "+f.Reason) {
			t.Errorf("%v does not tell of %+v", err, f)
		}
	}
	want := []string{"Project", "Endpoint", "Logstore", "Group", "Member", "Timeout", "RequestTimeout", "Region", "Credentials"}
	if !slices.Equal(fields, want) {
		t.Errorf("the faults are in %v, want %v: %v", fields, want, err)
	}
}

func TestNewChecksEachField(t *testing.T) {
	t.Setenv(envKeyID, "id")
	t.Setenv(envSecret, "s\n")
	for _, c := range []struct {
		field string
		spoil func(*Config)
	}{
		{"Endpoint", func(c *Config) { c.Endpoint = "" }},
		{"Endpoint", func(c *Config) { c.Endpoint = "http://10.0.0.1:80" }},
		{"Endpoint", func(c *Config) { c.Endpoint = "http://localhost.example.com" }},
		{"Project", func(c *Config) { c.Project = "a.b" }},
		{"Project", func(c *Config) { c.Project = "-a" }},
		{"Project", func(c *Config) { c.Project = strings.Repeat("a", 64) }},
		{"Logstore", func(c *Config) { c.Logstore = "" }},
		{"Logstore", func(c *Config) { c.Logstore = "a%2fb" }},
		{"Logstore", func(c *Config) { c.Logstore = ".." }},
		{"Logstore", func(c *Config) { c.Logstore = strings.Repeat("a", 129) }},
		{"Group", func(c *Config) { c.Group = "g g" }},
		{"Group", func(c *Config) { c.Group = "g\x00" }},
		{"Member", func(c *Config) { c.Member = "m\r\nX: y" }},
		{"Member", func(c *Config) { c.Member = "\xff" }},
		{"Member", func(c *Config) { c.Member = strings.Repeat("m", 129) }},
		{"Timeout", func(c *Config) { c.Timeout = -time.Second }},
		{"Timeout", func(c *Config) { c.Timeout = time.Millisecond }},
		{"Timeout", func(c *Config) { c.Timeout = 25 * time.Hour }},
		{"RequestTimeout", func(c *Config) { c.RequestTimeout = -time.Second }},
		{"Signature", func(c *Config) { c.Signature = "v3" }},
		{"Region", func(c *Config) { c.Signature, c.Endpoint = V4, "sls.example.com" }},
		{"Region", func(c *Config) { c.Region = "cn/hangzhou" }},
		{"Credentials", func(c *Config) { c.Credentials = Static("id", "", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("id\n", "s", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("id", "s", "a\r\nb") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("id", "s\n", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("id", " s", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("a,b", "s", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("a/b", "s", "") }},
		{"Credentials", func(c *Config) { c.Credentials = Static("a:b", "s", "") }},
		{"Credentials", func(c *Config) { c.Credentials = FromEnv() }}, // whose secret has a line end
	} {
		cfg := config(always(200, ""))
		if _, err := New(cfg); err != nil {
			t.Fatal(err)
		}
		c.spoil(&cfg)
		_, err := New(cfg)
		var bad *shardset.ConfigError
		if !errors.As(err, &bad) || len(bad.Faults) != 1 || bad.Faults[0].Field != c.field {
			t.Errorf("New returned %v, want one fault of %s", err, c.field)
		}
	}
}

func TestNewDefaults(t *testing.T) {
	c := newClient(t, Config{Endpoint: "sls.example.com", Logstore: "l"})
	if c.cfg.Timeout != defaultTimeout || c.cfg.RequestTimeout != defaultRequestTimeout || c.cfg.Signature != V1 {
		t.Errorf("the config became %+v", c.cfg)
	}
	if c.beats == c.data {
		t.Error("heartbeats and data share their connections")
	}
}

// Plain http to another host is possible, and said.
func TestInsecureIsLogged(t *testing.T) {
	for endpoint, want := range map[string]int{"http://sls.example.com": 1, "http://127.0.0.1:1": 0, "sls.example.com": 0} {
		core, logs := observer.New(zap.WarnLevel)
		cfg := config(always(200, ""))
		cfg.Endpoint, cfg.AllowInsecure, cfg.Logger = endpoint, true, zap.New(core)
		newClient(t, cfg)
		if logs.Len() != want {
			t.Errorf("%s: %d warnings, want %d", endpoint, logs.Len(), want)
		}
	}
}

func TestInfo(t *testing.T) {
	cfg := config(always(200, ""))
	cfg.Ordered = true
	want := heartbeat.Info{Group: "my-logstore/my-group", TTL: 6 * time.Second, Guarantees: heartbeat.Guarantees{FencedCommit: true, Ordered: true}}
	c := newClient(t, cfg)
	if got := c.Info(); got != want {
		t.Errorf("Info is %+v, want %+v", got, want)
	}
	if _, ok := any(c).(heartbeat.Leaver); ok {
		t.Error("the client is a Leaver; the service has no such call")
	}
}

// Nothing of a client that has no group goes to a path without a name.
func TestClientWithoutGroup(t *testing.T) {
	w := always(200, "[]")
	cfg := config(w)
	cfg.Group = ""
	c := newClient(t, cfg)
	_, beatErr := c.Beat(t.Context(), request())
	_, _, loadErr := c.Load(t.Context(), owner(0))
	for what, err := range map[string]error{
		"Beat": beatErr, "Load": loadErr, "Save": c.Save(t.Context(), owner(0), "x"), "Create": c.Create(t.Context()),
	} {
		var bad *UsageError
		if !errors.As(err, &bad) || heartbeat.Retryable(err) {
			t.Errorf("%s returned %v, want a *UsageError", what, err)
		}
	}
	expectLines(t, w)
}
