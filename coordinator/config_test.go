package coordinator_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func good(t *testing.T) coordinator.Config {
	return coordinator.Config{Group: newWire(t, 1), Processor: processor.FromFunc(idle)}
}

func TestConfigFaults(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*coordinator.Config)
		fields []string
	}{
		{"good", func(*coordinator.Config) {}, nil},
		{"nothing", func(c *coordinator.Config) { *c = coordinator.Config{} }, []string{"Group", "Processor"}},
		{"no store", func(c *coordinator.Config) { c.Group = fixed{} }, []string{"Checkpoints"}},
		{"required guarantees", func(c *coordinator.Config) {
			c.Group, c.Checkpoints = fixed{}, processor.NewMemoryCheckpoints()
			c.Require = heartbeat.Guarantees{FencedCommit: true, Epochs: true}
		}, []string{"Require"}},
		{"cannot create", func(c *coordinator.Config) {
			c.Group, c.Checkpoints, c.CreateGroup = fixed{}, processor.NewMemoryCheckpoints(), true
		}, []string{"CreateGroup"}},
		{"long name", func(c *coordinator.Config) { c.Member = strings.Repeat("m", 129) }, []string{"Member"}},
		{"long suffix", func(c *coordinator.Config) { c.MemberSuffix = strings.Repeat("m", 128) }, []string{"Member"}},
		{"name with a newline", func(c *coordinator.Config) { c.Member = "a\nb" }, []string{"Member"}},
		{"name that is no UTF-8", func(c *coordinator.Config) { c.Member = "a\xff" }, []string{"Member"}},
		{"weight", func(c *coordinator.Config) { c.Weight = -1 }, []string{"Weight"}},
		{"tiny interval", func(c *coordinator.Config) { c.Interval = 2 }, []string{"Interval"}},
		{"slow fast interval", func(c *coordinator.Config) { c.FastInterval = time.Hour }, []string{"FastInterval"}},
		{"long try", func(c *coordinator.Config) { c.TryTimeout = 1500 * time.Millisecond }, []string{"TryTimeout"}},
		{"restart", func(c *coordinator.Config) { c.Restart = processor.Backoff{Min: 2, Max: 1} }, []string{"Restart"}},
		{"everything negative", func(c *coordinator.Config) {
			c.Group, c.Processor, c.Weight = nil, nil, 5000
			c.Interval, c.FastInterval, c.TryTimeout = -1, -1, -1
			c.DrainTimeout, c.StuckAfter, c.CommitTimeout, c.Loads = -1, -1, -1, -1
			c.Restart = processor.Backoff{Min: -1}
		}, []string{"CommitTimeout", "DrainTimeout", "FastInterval", "Group", "Interval", "Loads", "Processor",
			"Restart", "StuckAfter", "TryTimeout", "Weight"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good(t)
			tc.change(&cfg)
			_, err := coordinator.New(cfg)
			var bad *shardset.ConfigError
			if tc.fields == nil {
				if err != nil {
					t.Errorf("New returned %v, want nil", err)
				}
				return
			}
			if !errors.As(err, &bad) {
				t.Fatalf("New returned %v, want a ConfigError", err)
			}
			var fields []string
			for _, f := range bad.Faults {
				fields = append(fields, f.Field)
				if !strings.Contains(err.Error(), f.Field+" "+f.Reason) {
					t.Errorf("the text %q does not say %q", err, f.Field+" "+f.Reason)
				}
			}
			slices.Sort(fields)
			if !slices.Equal(fields, tc.fields) {
				t.Errorf("New complains of %v, want %v: %v", fields, tc.fields, err)
			}
		})
	}
}

func TestMemberNameDefaultsToTheHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ member, suffix, want string }{
		{"", "", host}, {"", "2", host + "-2"}, {"w", "", "w"}, {"w", "2", "w-2"},
	} {
		cfg := good(t)
		cfg.Member, cfg.MemberSuffix = tc.member, tc.suffix
		c, err := coordinator.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := c.Status()
		if s.Member != tc.want {
			t.Errorf("member %q with suffix %q is called %q, want %q", tc.member, tc.suffix, s.Member, tc.want)
		}
		if s.State != coordinator.StateIdle || s.Group != "test" || !s.Guarantees.FencedCommit {
			t.Errorf("before Run the status is %+v", s)
		}
	}
}
