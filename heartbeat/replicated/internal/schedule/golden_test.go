package schedule

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// script is one golden file. Lines that start with "> " are commands, at a time, and what
// follows them is the plan. Members that beat are of the process whose plan it is, the others
// speak through other processes.
//
//	> clock                 the store has a clock of its own
//	> 0s group 4            the store has a group of four shards
//	> 0s read, unread       the document was read, or could not be
//	> 0s seen, worked       the watch shows the newest document, or has shown what there was
//	> 0s beat a, leave a    a heartbeat of a, or its last one, was written
//	> 0s other b            another process has written the record of b
//	> 0s show b, shown      the watch of the records shows that of b, or has shown all
//	> 0s step               another process makes a step of the document
//	> 0s lost               the store has lost its newest document
//	> 0s stepped, conflict, failed         the result of the step in the plan
//	> 0s expired b, refused b, unknown b   the result of a tombstone in the plan
//	> 0s probed b, unprobed b              the result of a probe in the plan
//	> 0s old 5s b           the record of b is old by the store's clock, the next will be in 5s
//	> 0s broken records     the watch of the records, or of the document, has broken
//	> 0s tick               the time of the next plan has come
type script struct {
	t         *testing.T
	s         *Scheduler
	clock     bool
	revision  uint64
	documents []version
	records   map[string]version
	plan      Plan
	write     *Write
	beats     map[string]*shardset.Heartbeat
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s gives\n%s\nrun with -update if that is right", file, got)
			}
		})
	}
}

// runScript returns the script with its output, which the old one is replaced by.
func runScript(t *testing.T, text string) string {
	x := &script{t: t, records: map[string]version{}, beats: map[string]*shardset.Heartbeat{}}
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch line = strings.TrimRight(line, "\n"); {
		case strings.HasPrefix(line, "#"), line == "":
			fmt.Fprintf(&out, "%s\n", line)
		case line == "> clock":
			x.clock = true
			fmt.Fprintf(&out, "%s\n", line)
		case strings.HasPrefix(line, "> "):
			words := strings.Fields(line[2:])
			at, err := time.ParseDuration(words[0])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			fmt.Fprintf(&out, "%s\n%s", line, x.run(rigStart.Add(at), words[1], words[2:]))
		}
	}
	return out.String()
}

var errScript = errors.New("unknown")

func (x *script) run(now time.Time, command string, words []string) (out string) {
	if x.s == nil {
		x.s = newRig(x.t, x.clock)
		x.s.SetWatched("a", true)
	}
	s, name := x.s, ""
	if len(words) > 0 {
		name = words[0]
	}
	switch command {
	case "group":
		n, _ := strconv.Atoi(name)
		x.put(newDocument(x.t, n, rigTTL))
	case "read":
		_ = s.DocumentRead(now, now, s.Revision(), x.newest())
		s.DocumentReadDone(now, nil)
	case "unread":
		s.DocumentReadDone(now, errScript)
	case "seen":
		_ = s.DocumentSeen(now, x.newest())
	case "worked":
		s.DocumentWatchWorked()
	case "beat", "leave":
		out = x.beat(now, name, command == "leave")
	case "other":
		x.revision++
		x.records[name] = version{revision: x.revision, data: aRecord(x.t, name, 1).Encode()}
		return ""
	case "show":
		s.RecordSeen(now, name, x.records[name].revision, x.record(name))
	case "shown":
		s.RecordWatchWorked(now)
	case "step":
		x.step(now)
		return ""
	case "lost":
		x.documents = x.documents[:len(x.documents)-1]
		return ""
	case "stepped":
		x.put(x.write.Data)
		s.DocumentWritten(now, x.newest())
	case "conflict":
		s.DocumentConflicted(now)
	case "failed":
		s.DocumentNotWritten(now, errScript)
	case "expired":
		t := x.tombstone(name)
		x.revision++
		x.records[name] = version{revision: x.revision, data: t.Encode()}
		s.TombstoneWritten(now, t, x.revision, x.record(name))
	case "refused":
		s.TombstoneConflicted(now, name, x.records[name].revision, x.record(name))
	case "unknown":
		s.TombstoneFailed(name)
	case "probed":
		s.Probed(now, name, x.records[name].revision, x.record(name), nil)
	case "unprobed":
		s.Probed(now, name, 0, nil, errScript)
	case "old":
		next, err := time.ParseDuration(name)
		if err != nil {
			x.t.Fatal(err)
		}
		var old []OldRecord
		for _, name := range words[1:] {
			old = append(old, OldRecord{Name: name, Revision: x.records[name].revision, Record: *x.record(name)})
		}
		s.ClockAnswered(old, next, nil)
	case "broken":
		if name == "records" {
			s.RecordWatchEnded(now, errScript)
		} else {
			s.DocumentWatchEnded(now, errScript)
		}
	case "tick":
	default:
		x.t.Fatalf("there is no command %q", command)
	}
	x.plan = s.Plan(now)
	if err := s.Check(); err != nil {
		x.t.Error(err)
	}
	if x.plan.WriteDocument != nil {
		x.write = x.plan.WriteDocument
	}
	return out + planText(x.plan)
}

func (x *script) put(data []byte) {
	x.revision++
	x.documents = append(x.documents, version{revision: x.revision, data: data})
}

func (x *script) newest() Document {
	v := x.documents[len(x.documents)-1]
	return decoded(x.t, v.revision, v.data)
}

func (x *script) record(name string) *state.Record { return decodeSim(name, x.records[name]) }

func (x *script) tombstone(name string) state.Tombstone {
	v := x.records[name]
	return state.Tombstone{Member: name, Instance: 1, Revision: v.revision}
}

// step is one that another process makes, which is shown everything.
func (x *script) step(now time.Time) {
	r, d := state.NewReplica(), x.newest()
	if err := r.Adopt(now, d.Revision, d.Version); err != nil {
		x.t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(x.records)) {
		r.Observe(now, name, x.records[name].revision, x.record(name))
	}
	data, err := r.Step()
	if err != nil || data == nil {
		x.t.Fatalf("there is no step to make: %v", err)
	}
	x.put(data)
}

func (x *script) beat(now time.Time, name string, leaves bool) string {
	r := x.beats[name]
	if r == nil {
		r = &shardset.Heartbeat{Member: name, Instance: 1}
		x.beats[name] = r
	}
	r.Seq++
	standing, err := state.StandingAlive, x.s.Admit(now, *r)
	if leaves {
		r.Held, standing = nil, state.StandingLeft
	}
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	w, err := x.s.Prepare(*r, standing)
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	x.revision++
	x.records[name] = version{revision: x.revision, data: w.Data}
	if leaves {
		x.s.LeaveWritten(now, w, x.revision, x.record(name))
		return ""
	}
	a, err := x.s.RecordWritten(now, w, x.revision, x.record(name))
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	r.Held, r.Generation = a.Grants, a.Generation
	return fmt.Sprintf("  %s may hold %d shards\n", name, len(a.Grants))
}

// planText says what a plan asks for, and when the next one is to be made.
func planText(p Plan) string {
	var words []string
	note := func(yes bool, format string, args ...any) {
		if yes {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	names := func(list []state.Tombstone) string {
		var all []string
		for _, t := range list {
			all = append(all, fmt.Sprintf("%s over %d", t.Member, t.Revision))
		}
		return strings.Join(all, ", ")
	}
	note(p.WatchDocument, "watch the document")
	note(p.WatchRecords, "watch the records")
	note(p.ReadDocument, "read the document")
	if p.WriteDocument != nil {
		note(true, "write the document over %d", p.WriteDocument.Over)
	}
	note(len(p.Expire) > 0, "expire %s", names(p.Expire))
	note(len(p.Probe) > 0, "probe %s", strings.Join(p.Probe, ", "))
	note(p.AskClock > 0, "ask for records older than %v", p.AskClock)
	note(len(p.Delete) > 0, "delete %s", names(p.Delete))
	note(len(p.Wake) > 0, "wake %s", strings.Join(p.Wake, ", "))
	note(p.DocumentChanged, "the document has changed")
	for _, n := range p.Notices {
		what := [...]string{WatchFails: "fails", WatchWorks: "works again", WatchUnneeded: "is not needed any more",
			StepFailed: "the step failed", DocumentWentBack: "the document went back", DocumentUnusable: "the document is of no use"}[n.Kind]
		if n.Kind <= WatchUnneeded {
			what = map[bool]string{false: "the watch of the document ", true: "the watch of the records "}[n.Records] + what
		}
		note(true, "log that %s", what)
	}
	if len(words) == 0 {
		words = []string{"nothing"}
	}
	when := "never"
	if !p.WakeAt.IsZero() {
		when = p.WakeAt.Sub(rigStart).String()
	}
	return fmt.Sprintf("    %s\n    next at %s\n", strings.Join(words, "; "), when)
}
