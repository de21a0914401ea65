package replicatedtest

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"
)

var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// history reads events, one a line: the millisecond, the kind, and, if the kind needs them,
// member/instance, shard/epoch, @position and <end of the lease.
func history(t *testing.T, shards []string, end int, story string) Report {
	t.Helper()
	l := &ledger{shards: shards}
	lines := bufio.NewScanner(strings.NewReader(story))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		l.note(parseEvent(t, fields))
	}
	return l.report(at(end))
}

func at(ms int) time.Time { return dawn.Add(time.Duration(ms) * time.Millisecond) }

func parseEvent(t *testing.T, fields []string) event {
	t.Helper()
	var ms int
	scan(t, fields[0], "%d", &ms)
	e := event{At: at(ms)}
	for k, name := range eventNames {
		if name == fields[1] {
			e.Kind = eventKind(k)
		}
	}
	for _, f := range fields[2:] {
		switch {
		case f[0] == '@':
			scan(t, f, "@%d", &e.Position)
		case f[0] == '<':
			scan(t, f, "<%d", &ms)
			e.NotAfter = at(ms)
		case e.Member == "":
			name, number, _ := strings.Cut(f, "/")
			e.Member = name
			if number != "" {
				scan(t, number, "%d", &e.Instance)
			}
		default:
			name, number, _ := strings.Cut(f, "/")
			e.Shard = name
			scan(t, number, "%d", &e.Epoch)
		}
	}
	return e
}

func scan(t *testing.T, s, format string, to any) {
	t.Helper()
	if _, err := fmt.Sscanf(s, format, to); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
}

func TestLedgerFindsNothingWrong(t *testing.T) {
	for name, story := range map[string]string{
		"nothing": ``,
		"a planned move": `
			0 started a/1 s/5 @0 <1000
			10 processed a/1 s/5 @0
			20 processed a/1 s/5 @1
			30 committed a/1 s/5 @2
			31 returned a/1 s/5
			31 started b/2 s/6 @2 <1000
			40 processed b/2 s/6 @2
			41 committed b/2 s/6 @3`,
		"a restart of the processor under one grant": `
			0 started a/1 s/5 @0
			10 processed a/1 s/5 @0
			20 returned a/1 s/5
			30 started a/1 s/5 @0
			40 processed a/1 s/5 @0
			41 committed a/1 s/5 @1`,
		"cut off, and the lease ends": `
			0 started a/1 s/5 @0 <100
			90 processed a/1 s/5 @0 <150
			151 started b/2 s/6 @0
			152 returned a/1 s/5`,
		"killed, and the lease ends": `
			0 started a/1 s/5 @0 <100
			50 gone a
			101 started b/2 s/6 @0`,
		"killed, and back at once": `
			0 started a/1 s/5 @0 <100
			0 started a/1 t/5 @0 <100
			50 gone a
			60 joined a
			61 started a/2 s/6 @0
			62 started b/3 t/6 @0`,
		"a stuck processor after its cancel": `
			0 started a/1 s/5 @0 <1000
			50 cancelled a/1 s/5
			51 started b/2 s/6 @0
			900 returned a/1 s/5`,
		"a frozen process that notes its commit late": `
			0 started a/1 s/5 @0 <100
			10 processed a/1 s/5 @0
			101 started b/2 s/6 @1
			102 processed b/2 s/6 @1
			110 committed b/2 s/6 @2
			120 committed a/1 s/5 @1
			121 returned a/1 s/5`,
		"an unordered story": `
			31 started b/2 s/6 @1
			0 started a/1 s/5 @0
			41 committed b/2 s/6 @2
			10 processed a/1 s/5 @0
			40 processed b/2 s/6 @1
			30 returned a/1 s/5
			29 committed a/1 s/5 @1`,
		"epochs and positions begin again after lost writes": `
			0 started a/1 s/5 @0
			10 processed a/1 s/5 @0
			11 committed a/1 s/5 @1
			20 lost-writes
			21 returned a/1 s/5
			30 started b/2 s/5 @0
			40 processed b/2 s/5 @0
			41 committed b/2 s/5 @1`,
		"positions begin again in a group that is made anew": `
			0 started a/1 s/5 @0
			10 processed a/1 s/5 @0
			11 committed a/1 s/5 @1
			20 deleted
			21 returned a/1 s/5
			30 started b/2 s/6 @0
			40 processed b/2 s/6 @0
			41 committed b/2 s/6 @1`,
		"two owners while one has not noticed the loss": `
			0 started a/1 s/5 @0
			20 lost-writes
			30 started b/2 s/5 @0
			40 returned a/1 s/5`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := history(t, nil, 1000, story).err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLedgerFindsFaults(t *testing.T) {
	for name, c := range map[string]struct{ story, want string }{
		"two owners": {`
			0 started a/1 s/5 @0
			10 started b/2 s/6 @0
			20 returned a/1 s/5`, "two owners for 10ms"},
		"two owners, one of whom was killed": {`
			0 started a/1 s/5 @0 <100
			50 gone a
			60 started b/2 s/6 @0`, "two owners for 40ms"},
		"a killed process is back under another name": {`
			0 started a/1 s/5 @0 <100
			50 gone a
			60 joined b
			61 started b/2 s/6 @0`, "two owners for 39ms"},
		"a lease that was renewed": {`
			0 started a/1 s/5 @0 <100
			90 processed a/1 s/5 @0 <190
			150 started b/2 s/6 @0`, "two owners for 40ms"},
		"three owners": {`
			0 started a/1 s/5 @0
			10 started b/2 s/6 @0
			20 returned b/2 s/6
			30 started c/3 s/7 @0`, "started at 00:00:00.030000"},
		"an epoch twice": {`
			0 started a/1 s/5 @0
			10 returned a/1 s/5
			20 started b/2 s/5 @0`, "b (instance 2) under epoch 5 started after a (instance 1) under epoch 5"},
		"an epoch twice for one member": {`
			0 started a/1 s/5 @0
			10 returned a/1 s/5
			20 started a/2 s/5 @0`, "started after"},
		"an epoch that goes back": {`
			0 started a/1 s/5 @0
			10 returned a/1 s/5
			20 started b/2 s/4 @0`, "started after"},
		"a token that comes back": {`
			0 started a/1 s/5 @0
			10 returned a/1 s/5
			11 lost-writes
			20 started b/2 s/5 @0
			30 returned b/2 s/5
			40 started a/1 s/5 @0`, "a second time"},
		"two owners after the group was deleted": {`
			0 started a/1 s/5 @0
			11 deleted
			20 started b/2 s/6 @0
			30 returned a/1 s/5`, "two owners"},
		"an epoch that goes back after the group was deleted": {`
			0 started a/1 s/5 @0
			10 returned a/1 s/5
			11 deleted
			20 started b/2 s/5 @0`, "started after"},
		"a commit that goes back": {`
			0 started a/1 s/5 @0
			1 processed a/1 s/5 @0
			2 processed a/1 s/5 @1
			10 committed a/1 s/5 @2
			20 committed a/1 s/5 @1`, "committed 1 after 2"},
		"a commit before where it began": {`
			0 started a/1 s/5 @7
			20 committed a/1 s/5 @6`, "committed 6 after 7"},
		"a start from before the last commit": {`
			0 started a/1 s/5 @0
			1 processed a/1 s/5 @0
			10 committed a/1 s/5 @1
			11 returned a/1 s/5
			20 started b/2 s/6 @0`, "started from 0 after a (instance 1) under epoch 5 had committed 1"},
		"a start from before what somebody committed earlier": {`
			0 started a/1 s/5 @0
			1 processed a/1 s/5 @0
			10 committed a/1 s/5 @1
			11 returned a/1 s/5
			20 started b/2 s/6 @1
			21 returned b/2 s/6
			30 started c/3 s/7 @0`, "c (instance 3) under epoch 7 started from 0"},
		"a record that was jumped": {`
			0 started a/1 s/5 @0
			1 processed a/1 s/5 @0
			2 processed a/1 s/5 @2
			10 committed a/1 s/5 @3`, "1 of 3 records were committed and never processed; the first is 1"},
		"records that nobody has reached": {`
			0 started a/1 s/5 @0
			1 committed a/1 s/5 @4`, "4 of 4 records"},
		"work without a start": {`
			0 processed a/1 s/5 @0`, "had never started"},
		"work under another grant": {`
			0 started a/1 s/5 @0
			1 processed a/1 s/6 @0`, "had never started"},
	} {
		t.Run(name, func(t *testing.T) {
			err := history(t, nil, 1000, c.story).err()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the fault is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLedgerCounts(t *testing.T) {
	r := history(t, []string{"s", "t", "u"}, 1000, `
		0 started a/1 s/1 @0 <100
		1 processed a/1 s/1 @0
		2 processed a/1 s/1 @1
		3 committed a/1 s/1 @1
		120 processed a/1 s/1 @2
		130 started b/2 s/2 @1
		131 processed b/2 s/2 @1
		0 started a/1 t/1 @0
		400 returned a/1 t/1
		500 started b/2 t/2 @0
		600 returned b/2 t/2
		601 started b/2 t/2 @0`)
	if err := r.err(); err != nil {
		t.Error(err)
	}
	if r.Starts != 5 || r.Records != 4 || r.Duplicates != 1 || r.Late != 1 || r.Commits != 1 {
		t.Errorf("counted: %s", r)
	}
	if got := r.pause(0); got != time.Millisecond {
		t.Errorf("the shortest pause is %v", got)
	}
	if p50, max := r.pause(0.5), r.pause(1); p50 != 30*time.Millisecond || max != 100*time.Millisecond {
		t.Errorf("pauses of 1, 30 and 100 ms: median %v, longest %v", p50, max)
	}
	if p := r.pauses; len(p) != 3 || p[1].shard != "s" || p[0].shard != "t" || p[0].from != at(400) || p[0].to != at(500) {
		t.Errorf("the pauses are %v", p)
	}
	if len(r.Unowned) != 1 || r.Unowned[0] != "u" {
		t.Errorf("unowned at the end: %q", r.Unowned)
	}
	if got := (Report{}).pause(0.5); got != 0 {
		t.Errorf("the median of no pauses is %v", got)
	}
}

// A pause begins when the last owner stops working, even if it still owns the shard.
func TestLedgerMeasuresPauses(t *testing.T) {
	for name, c := range map[string]struct {
		story string
		want  time.Duration
	}{
		"returned":       {"0 started a/1 s/1 @0 <900 \n 100 returned a/1 s/1 \n 150 started b/2 s/2 @0", 50 * time.Millisecond},
		"lease ended":    {"0 started a/1 s/1 @0 <100 \n 150 started b/2 s/2 @0 \n 160 returned a/1 s/1", 50 * time.Millisecond},
		"killed":         {"0 started a/1 s/1 @0 <100 \n 40 gone a \n 150 started b/2 s/2 @0", 110 * time.Millisecond},
		"nobody came":    {"0 started a/1 s/1 @0 <100", 900 * time.Millisecond},
		"no pause":       {"0 started a/1 s/1 @0 \n 100 returned a/1 s/1 \n 100 started b/2 s/2 @0", 0},
		"killed, and no": {"0 started a/1 s/1 @0 <100 \n 40 gone a \n 40 joined a \n 40 started a/2 s/2 @0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if r := history(t, nil, 1000, c.story); r.pause(1) != c.want {
				t.Errorf("the pause is %v, want %v", r.pause(1), c.want)
			}
		})
	}
}

func TestLedgerMeasuresOverlap(t *testing.T) {
	r := history(t, nil, 100, `
		0 started a/1 s/5 @0
		20 lost-writes
		30 started b/2 s/5 @0
		42 returned a/1 s/5`)
	if r.Overlap != 12*time.Millisecond || !strings.Contains(r.String(), "12ms") {
		t.Errorf("the overlap is %v: %s", r.Overlap, r)
	}
}

// The list of faults has a limit, and the error gives the number.
func TestLedgerListsFaults(t *testing.T) {
	l := &ledger{}
	for i := range 2 * maxFaults {
		l.note(event{Kind: eventProcessed, At: at(i), Member: "a", Shard: "s", Position: 1})
	}
	r := l.report(at(1000))
	if len(r.Faults) != maxFaults || !strings.Contains(r.err().Error(), fmt.Sprint(maxFaults, " promises")) {
		t.Errorf("%d faults: %.100v", len(r.Faults), r.err())
	}
}
