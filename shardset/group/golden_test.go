package group_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// script is one golden file. Lines that start with "> " are commands:
//
//	> ordered                     shards wait for their ancestors
//	> shards 0 1 2<0,1            the list of shards; 2 was merged from 0 and 1
//	> beat 3s a drained           a's heartbeat at 3s
//	> leave 3s a                  a leaves
//	> expire 13s                  time passes
//	> ttl 3s 30s                  the TTL becomes 30s at 3s
//
// A member lists what it was ever granted, until it says "drained", which drops what
// the last answer did not list, or "holds=1,2", which names what is left. "weight=2",
// "closed=1" and "gen=0" say what they say; so does "complete=1,2", which stays until the
// next one; "instance=2" is a new process of that name.
type script struct {
	rig     *rig
	ordered bool
	peers   map[string]*peer
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
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
	s := &script{peers: map[string]*peer{}}
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch line = strings.TrimRight(line, "\n"); {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintf(&out, "%s\n", line)
		case strings.HasPrefix(line, "> "):
			fmt.Fprintf(&out, "%s\n%s\n", line, s.run(t, strings.Fields(line[2:])))
		}
	}
	return out.String()
}

func (s *script) run(t *testing.T, words []string) string {
	switch words[0] {
	case "ordered":
		s.ordered = true
		return ""
	case "shards":
		shards := make([]shardset.Shard, 0, len(words))
		for _, w := range words[1:] {
			number, parents, _ := strings.Cut(w, "<")
			shards = append(shards, child(numbers(t, number)[0], numbers(t, parents)...))
		}
		if s.rig == nil {
			s.rig = newRigWith(t, group.Config{TTL: rigTTL, Ordered: s.ordered}, shards...)
		} else {
			s.rig.set(shards...)
		}
		return ""
	}
	at, err := time.ParseDuration(words[1])
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	s.rig.wait(simStart.Add(at).Sub(s.rig.now))
	answer := ""
	switch words[0] {
	case "beat":
		p := s.peer(t, words[2:])
		if err := p.try(); err != nil {
			answer = "  " + err.Error() + "\n"
		} else {
			answer = fmt.Sprintf("  %s may hold %s, generation %d%s%s\n", p.beat.Member, grants(p.told), p.beat.Generation, complete(p.complete), s.ttl())
		}
		p.beat.Closed = nil
	case "leave":
		s.peer(t, words[2:]).leave()
	case "ttl":
		ttl, err := time.ParseDuration(words[2])
		if err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		if err := s.rig.g.SetTTL(s.rig.now, ttl); err != nil {
			t.Fatal(err)
		}
		s.rig.check()
		answer = "  " + strings.TrimPrefix(s.ttl(), ", ") + "\n"
	}
	return answer + s.table()
}

// peer is the member that speaks, with what the options make of its heartbeat.
func (s *script) peer(t *testing.T, words []string) *peer {
	name := words[0]
	p := s.peers[name]
	if p == nil {
		p = s.rig.peer(name)
		s.peers[name] = p
	}
	for _, w := range words[1:] {
		option, value, _ := strings.Cut(w, "=")
		n := numbers(t, value)
		switch option {
		case "drained":
			p.release()
		case "holds":
			p.beat.Held = nil
			for _, k := range n {
				p.beat.Held = append(p.beat.Held, shardset.Grant{ID: id(k)})
			}
		case "closed":
			for _, k := range n {
				p.beat.Closed = append(p.beat.Closed, id(k))
			}
		case "complete":
			p.done(n...)
		case "gen":
			p.beat.Generation = uint64(n[0])
		case "weight":
			p.beat.Weight = n[0]
		case "instance":
			p = s.rig.peer(name)
			p.beat.Instance = uint64(n[0])
			if p.beat.Instance > s.peers[name].beat.Instance {
				s.peers[name] = p
			}
		default:
			t.Fatalf("%q is no option of a heartbeat", w)
		}
	}
	return p
}

// table draws the state, one shard a line.
func (s *script) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "    shard\tstate\towner\tnext\tepoch\n")
	for _, sh := range s.rig.g.Snapshot().Shards {
		state := sh.State.String()
		if sh.Complete {
			state += ", complete"
		}
		fmt.Fprintf(w, "    %s\t%s\t%s\t%s\t%d\n", sh.ID, state, orDash(sh.Owner), orDash(sh.Next), sh.Epoch)
	}
	w.Flush()
	return b.String()
}

// ttl says what the TTL is, if it is not the rig's or is being changed.
func (s *script) ttl() string {
	switch snap := s.rig.g.Snapshot(); {
	case snap.Lease != snap.Expiry:
		return fmt.Sprintf(", TTL %v: leases of %v, expiry after %v", snap.TTL, snap.Lease, snap.Expiry)
	case snap.TTL != rigTTL:
		return fmt.Sprintf(", TTL %v", snap.TTL)
	}
	return ""
}

func complete(yes bool) string {
	if yes {
		return ", complete"
	}
	return ""
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func grants(list []shardset.Grant) string {
	if len(list) == 0 {
		return "nothing"
	}
	var words []string
	for _, g := range list {
		words = append(words, fmt.Sprintf("%s@%d", g.ID, g.Epoch))
	}
	return strings.Join(words, " ")
}

// numbers reads "1,2"; nothing gives none.
func numbers(t *testing.T, list string) []int {
	var out []int
	for w := range strings.SplitSeq(list, ",") {
		if w == "" {
			continue
		}
		n, err := strconv.Atoi(w)
		if err != nil {
			t.Fatalf("%q: %v", list, err)
		}
		out = append(out, n)
	}
	return out
}
