package shardset

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestScripts runs testdata/*.txt. A script is a conversation: each line that starts
// at the margin is an event, the indented lines under it are what the Tracker makes
// of it, # starts a comment. Shards are written log/number@epoch, times count from
// the start. The events:
//
//	config interval=2s fast=200ms drain=3s stuck=1s restart=1s instance=7 canleave=yes finite=yes completion=yes
//	beat 0s                                   a heartbeat leaves; shows what it says
//	answer 0.1s orders/1@1 ttl=6s gen=3 seq=1 its answer; ttl and gen stay until changed, seq is the newest;
//	                                          complete=yes says that all work of the group is complete
//	fail 1s                                   it got no answer
//	evicted 1s                                the service does not know the member
//	replaced 1s 9                             instance 9 has the member's name
//	returned 2s orders/1 released             the processor's goroutine has returned
//	lost 2s                                   a processor saw the lease end
//	tick 6s                                   time passes
//	leave 7s                                  the member is asked to leave
//	show 8s                                   the shards, and when the next heartbeat is due
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(text), "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(want) || line != want[i] {
					t.Fatalf("%s:%d: got %q; the whole script, run anew (-update writes it):\n%s", name, i+1, line, got)
				}
			}
			if got != string(text) {
				t.Fatalf("%s has lines that nothing printed", name)
			}
		})
	}
}

// runScript returns the script with the output that its events have now.
func runScript(t *testing.T, text string) string {
	var out strings.Builder
	s := &script{rig: newRig(t), out: &out}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			continue // the output of another day
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		s.event(words)
		if err := s.tr.Check(); err != nil {
			t.Fatalf("after %s: %v", line, err)
		}
	}
	return out.String()
}

type script struct {
	*rig
	out *strings.Builder
}

func (s *script) event(words []string) {
	options := map[string]string{}
	var args []string
	for _, w := range words[1:] {
		if key, value, found := strings.Cut(w, "="); found {
			options[key] = value
		} else {
			args = append(args, w)
		}
	}
	if words[0] == "config" {
		s.config(options)
		return
	}
	if len(args) == 0 {
		s.t.Fatalf("%q needs a time", words)
	}
	now := s.at(args[0])
	args = args[1:]
	switch words[0] {
	case "beat":
		r := s.tr.Beat(now)
		s.seq = r.Seq
		s.line("seq %d, instance %d, generation %d, holds %s%s%s", r.Seq, r.Instance, r.Generation,
			or(grantsText(r.Held), "nothing"), prefixed(", complete ", idsText(r.Complete)), prefixed(", closed ", idsText(r.Closed)))
	case "answer":
		seq, complete := s.seq, false
		for key, value := range options {
			switch key {
			case "ttl":
				s.ttl = s.at(value).Sub(s.start)
			case "gen":
				s.gen = s.number(value)
			case "complete":
				complete = value == "yes"
			case "seq":
				seq = s.number(value)
			}
		}
		p, err := s.tr.Accepted(now, seq, Answer{
			Grants: parseGrants(s.t, strings.Join(args, " ")), TTL: s.ttl, Generation: s.gen, Complete: complete,
		})
		if errors.Is(err, ErrStaleAnswer) {
			s.line("stale answer")
		} else if err != nil {
			s.line("%v", err)
		}
		s.plan(p)
	case "returned":
		s.plan(s.tr.Returned(now, parseID(s.t, args[0]), s.outcome(args[1])))
	case "fail":
		s.plan(s.tr.Tick(now))
	case "refuse":
		p, final := s.tr.Refused(now)
		s.line("final %v", final)
		s.plan(p)
	case "tick":
		s.plan(s.tr.Tick(now))
	case "lost":
		s.plan(s.tr.LeaseLost(now))
	case "evicted":
		s.plan(s.tr.Evicted(now, s.seq))
	case "replaced":
		p, final := s.tr.Replaced(now, s.seq, s.number(args[0]))
		s.line("final %v", final)
		s.plan(p)
	case "leave":
		s.plan(s.tr.Leave(now))
	case "show":
		s.line("%s", or(statesText(s.tr), "no shards"))
		s.line("next beat %s", s.moment(s.tr.NextHeartbeat(now)))
	default:
		s.t.Fatalf("no such event: %q", words)
	}
}

func (s *script) config(options map[string]string) {
	d := func(key string) time.Duration { return s.at(or(options[key], "0s")).Sub(s.start) }
	s.tr = NewTracker(TrackerConfig{
		Instance: s.number(or(options["instance"], "0")),
		Interval: d("interval"), TTL: d("ttl"), Fast: d("fast"), DrainTimeout: d("drain"),
		StuckAfter: d("stuck"), RestartPause: d("restart"), CanLeave: options["canleave"] == "yes",
		Finite: options["finite"] == "yes", Completion: options["completion"] == "yes",
	})
}

// plan prints a plan in the order in which it is to be obeyed.
func (s *script) plan(p Plan) {
	if what := actions(p); what != "" {
		for _, part := range strings.Split(what, ", ") {
			s.line("%s", part)
		}
	}
	if !p.NotAfter.IsZero() {
		s.line("lease until %s", s.moment(p.NotAfter))
	}
	if !p.WakeAt.IsZero() {
		s.line("wake at %s", s.moment(p.WakeAt))
	}
}

func (s *script) line(format string, args ...any) { fmt.Fprintf(s.out, "  "+format+"\n", args...) }

func (s *script) since(t time.Time) time.Duration { return t.Sub(s.start) }

func (s *script) moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return s.since(t).String()
}

func (s *script) number(text string) uint64 {
	var n uint64
	if _, err := fmt.Sscan(text, &n); err != nil {
		s.t.Fatalf("%q is not a number", text)
	}
	return n
}

func (s *script) outcome(name string) Outcome {
	for o := OutcomeReleased; o <= OutcomeFailed; o++ {
		if o.String() == name {
			return o
		}
	}
	s.t.Fatalf("%q is not an outcome", name)
	return 0
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func idsText(ids []ID) string {
	var words []string
	for _, id := range ids {
		words = append(words, id.String())
	}
	return strings.Join(words, " ")
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
