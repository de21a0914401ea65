package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// fenced matches the blocks of a text with their language.
var fenced = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blocks returns what the README has in this language.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	must(t, err)
	for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

// TestReadmeCommands can be typed as they are.
func TestReadmeCommands(t *testing.T) {
	n := 0
	for _, block := range blocks(t, "") {
		command, ok := strings.CutPrefix(strings.TrimSpace(block), "go run . ")
		if !ok {
			continue
		}
		n++
		if _, err := parse(strings.Fields(command)); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
	if n != 4 {
		t.Errorf("the README has %d commands of this program", n)
	}
}

// TestReadmeServer: the configuration of a server is one, and says what it should.
func TestReadmeServer(t *testing.T) {
	configs := blocks(t, "conf")
	if len(configs) != 1 {
		t.Fatalf("the README has %d configurations", len(configs))
	}
	path := filepath.Join(t.TempDir(), "n1.conf")
	must(t, os.WriteFile(path, []byte(configs[0]), 0o600))
	o, err := server.ProcessConfigFile(path)
	must(t, err)
	if !o.SyncAlways || !o.JetStream || o.JetStreamMaxMemory != 256e6 || o.JetStreamMaxStore != 10e9 ||
		o.ServerName != "n1" || o.Cluster.Name != "orders" || len(o.Routes) != 3 || o.Port != 4222 || o.Cluster.Port != 6222 {
		t.Errorf("the server is %s of %s with %d routes, syncs always: %v, holds %d and %d bytes, listens on %d and %d", o.ServerName, o.Cluster.Name,
			len(o.Routes), o.SyncAlways, o.JetStreamMaxMemory, o.JetStreamMaxStore, o.Port, o.Cluster.Port)
	}
}
