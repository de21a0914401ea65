package main

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is a server when it is told so, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == nodeCommand {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// The drills with real processes: nothing is lost, nothing handled twice that was
// committed, no shard has two owners. Their times are not judged here: a machine that is
// busy with tests says nothing about them.
func TestDrills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes; run it without -short")
	}
	o := defaults()
	o.partitions, o.rate, o.ttl, o.settle, o.rounds, o.moves = 8, 20, 3*time.Second, time.Second, 2, 60
	o.members, o.shards, o.clients = 40, 400, 30
	if err := o.programs(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scale", "connections", "handover", "kill", "freeze", "slow-disk", "churn"} {
		t.Run(name, func(t *testing.T) {
			o := *o
			o.only = []string{name}
			for _, d := range drills {
				if !o.chosen(d.name) {
					continue
				}
				if err := d.possible(); err != nil {
					t.Skip(err)
				}
				var said, out bytes.Buffer
				r := &report{}
				err := o.drill(t.Context(), d, t.TempDir(), r, &said)
				r.print(&out)
				if err != nil || !r.sound(false) {
					t.Errorf("%v\n%s\n%s", err, &out, &said)
				}
			}
		})
	}
}

func TestFlagFaults(t *testing.T) {
	_, err := parse(strings.Fields("-only joni -partitions 1 -rate 0 -ttl 1ms -settle 0s -rounds 0 -moves 0 -duration -1s -members 1 -clients 0 -shards 0 -flush -1s rest"))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{`"joni"`, "churn", "-partitions is 1", "-rate is 0", "-ttl is", "-settle", "-rounds", "-moves", "-duration", "-members", "-clients is 0", "-shards", "-flush is -1s", `"rest"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"-only", "joni"}, &out, &errs); status != exitUsage {
		t.Errorf("the exit status is %d", status)
	}
	if status := run(t.Context(), []string{"-h"}, &out, &errs); status != exitOK || !strings.Contains(out.String(), "node-freeze") {
		t.Errorf("-h: %d\n%s", status, &out)
	}
}

// TestReadmeCommands can be typed as they are.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./natsdrill")
		if !ok {
			continue
		}
		n++
		command, _, _ = strings.Cut(command, "#")
		if _, err := parse(strings.Fields(command)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if n < 4 {
		t.Errorf("the README has %d commands of this program", n)
	}
}
