package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor/batch"
)

func TestFlags(t *testing.T) {
	o, err := parse(strings.Fields("-embedded d"))
	must(t, err)
	if o.member == "" || o.ttl != 0 || o.beat != 0 || o.from != batch.Earliest() || o.stream.Prefix != "orders" ||
		o.stream.Partitions != 16 || o.drain != 25*time.Second || o.output != outputMessages || o.listen != "127.0.0.1:4222" {
		t.Errorf("defaults: %+v", o)
	}
	o, err = parse(strings.Fields("-servers nats://a:1,tls://b -member m -member-suffix 2 -from 1700000000 -expired latest" +
		" -stream S -prefix a.b -replicas 3 -ttl 12s -output none -log-level off -events"))
	must(t, err)
	at, _ := o.from.Time()
	if o.member != "m-2" || at.Unix() != 1700000000 || o.expired != batch.Latest() || o.stream.Prefix != "a.b" || o.ttl != 12*time.Second || o.beat != 0 ||
		o.output != outputNone || o.level != silent || !o.events {
		t.Errorf("%+v", o)
	}
}

// TestFlagFaults: all faults are told at once.
func TestFlagFaults(t *testing.T) {
	_, err := parse(strings.Fields("-nonsense -beat x rest -from nowhere -expired 7 -output csv -log-level loud -batch 0 -commit 0s -drain -1s" +
		" -handle -1s -status-every -1s -servers nats://user:secret@:x -embedded d -creds /no/such/file -listen nowhere -stream a.b -prefix x.>" +
		" -partitions 0 -replicas 2 -ttl -1s -namespace a.b -group a.b --- -events=perhaps -member"))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"-nonsense", "-beat", `"rest" is no flag`, "-from", "-expired", "earliest, fail, latest", "-output", "-log-level", "-batch is 0", "-commit is 0s",
		"-drain is -1s", "-handle is -1s", "-status-every is -1s", "-servers must be", "-embedded and -servers", "-creds", "-listen is",
		"-stream is", "-prefix is", "-partitions is 0", "-replicas is 2", "-ttl is -1s", "-namespace is", "-group is", "---", "-events", "-member",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("it repeats the password: %v", err)
	}
}

func TestFlagFault(t *testing.T) {
	for flags, want := range map[string]string{
		"":                                   "neither -embedded nor -servers is set",
		"-embedded d -beat 8s":               "-beat is 8s; it must be at most a third of -ttl, which is 20s",
		"-embedded d -beat 1ms":              "-beat is 1ms; it must be at least 10ms",
		"-embedded d -listen 127.0.0.1:4x22": "-listen",
		"-servers 127.0.0.1:4222":            "-servers must be URLs like nats://127.0.0.1:4222",
		"-servers http://127.0.0.1:4222":     "-servers must be",
		"-servers nats://a:1,":               "-servers must be",
		"-embedded d -member " + strings.Repeat("m", 129): "129 bytes",
	} {
		if _, err := parse(strings.Fields(flags)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", flags, err, want)
		}
	}
}

func TestExitStatuses(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &out, &errs); status != exitOK || !strings.Contains(out.String(), "-embedded") || errs.Len() > 0 {
		t.Errorf("-h: %d\n%s%s", status, &out, &errs)
	}
	if status := run(t.Context(), nil, &out, &errs); status != exitUsage || !strings.Contains(errs.String(), "natsworker: neither") {
		t.Errorf("no flags: %d\n%s", status, &errs)
	}
}
