package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// required is a command line that says what it must, and no more.
const required = "-endpoint http://127.0.0.1:1 -project p -logstore l -group g"

func TestFlags(t *testing.T) {
	o, err := parse(strings.Fields(required))
	must(t, err)
	if o.member == "" || o.interval != 2*time.Second || o.timeout != 6*time.Second || o.from != batch.Earliest() ||
		o.budget != 64<<20 || o.drain != 25*time.Second || o.commit != 5*time.Second || o.output != outputLogs {
		t.Errorf("defaults: %+v", o)
	}
	o, err = parse(strings.Fields(required + " -member m -member-suffix 2 -from 1700000000 -until 2026-01-02T03:04:05+01:00" +
		" -budget 3G -signature v4 -region r -expired latest -compression zstd -output none -log-level off -order -update-group"))
	must(t, err)
	at, _ := o.from.Time()
	if o.member != "m-2" || at.Unix() != 1700000000 || o.until.Format(time.RFC3339) != "2026-01-02T03:04:05+01:00" ||
		o.budget != 3<<30 || o.signature != sls.V4 || o.expired != batch.Latest() || o.compression != sls.Zstd ||
		o.output != outputNone || o.level != silent || !o.order || !o.updateGroup {
		t.Errorf("%+v", o)
	}
}

// TestFlagFaults: all faults are told at once.
func TestFlagFaults(t *testing.T) {
	_, err := parse(strings.Fields("-nonsense -interval x -timeout 1500ms rest -from nowhere -until 0 -budget 3Q -expired 7 -compression gz" +
		" -output csv -signature v2 -log-level loud -concurrency 0 -commit 0s -drain -1s -handle-time -1s -status-every -1s" +
		" -endpoint ftp://x -project -p- -logstore /l -member m\x00 --- -insecure=perhaps -region"))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"-nonsense", "-interval", "-timeout is 1.5s", `"rest" is no flag`, "-from", "-until", "-budget", "-expired", "earliest, fail, latest",
		"-compression", "-output", "-signature", "-log-level", "-concurrency is 0", "-commit is 0s", "-drain is -1s", "-handle-time is -1s",
		"-status-every is -1s", "-endpoint is", "-project is", "-logstore is", "-member is", "-group is empty", "---", "-insecure", "-region",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
}

func TestFlagFault(t *testing.T) {
	for flags, want := range map[string]string{
		"-interval 3s":             "-interval is 3s; it must be at most a third of -timeout, which is 6s",
		"-signature v4":            "-region is empty",
		"-endpoint http://1.2.3.4": "plain http",
		"-budget 1000":             "at least 1M",
		"-budget 9999999999999G":   "-budget",
		"-until 1700000000000":     "-until",
		"-from 1960-01-01T00:00Z":  "-from",
	} {
		if _, err := parse(strings.Fields(required + " " + flags)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", flags, err, want)
		}
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
	if _, err := parse(strings.Fields(required)); err == nil || !strings.Contains(err.Error(), "the credentials in the environment") {
		t.Errorf("half a key: %v", err)
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "17": 17, "1K": 1 << 10, "64M": 64 << 20, "2G": 2 << 30} {
		if got, err := parseBytes(s); got != want || err != nil {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "K", "-1", "1.5M", "1T", "1 M", "8589934592G"} {
		if got, err := parseBytes(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
}

func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(context.Background(), []string{"-h"}, &out, &errs); status != exitOK || !strings.Contains(out.String(), "-handle-time") {
		t.Errorf("-h: %d\n%s%s", status, &out, &errs)
	}
	if status := run(context.Background(), nil, &out, &errs); status != exitUsage || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("without flags: %d\n%s", status, &errs)
	}
}
