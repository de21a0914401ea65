package main

import (
	"hash/crc64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/processor"
)

func text(s string) *source {
	return &source{label: "test", log: "test", size: int64(len(s)), ReaderAt: strings.NewReader(s)}
}

// readSpan returns the lines of a span from a place on.
func readSpan(t *testing.T, s *span, from place) (lines []line) {
	t.Helper()
	for r := s.read(from); !r.atEnd(); {
		l, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// checkDivision checks that every line is in one span, once, and read as it is.
func checkDivision(t *testing.T, content string, n int) {
	t.Helper()
	spans, err := divide([]*source{text(content)}, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(spans) > n {
		t.Fatalf("%d spans of %d", len(spans), n)
	}
	want := strings.SplitAfter(content, "\n")
	if want[len(want)-1] == "" {
		want = want[:len(want)-1]
	}
	at, first := int64(0), 0
	for i, s := range spans {
		if s.id.Number != i || s.begin != at {
			t.Fatalf("span %d is %v and begins at %d, want %d", i, s.id, s.begin, at)
		}
		at = s.end
		lines := readSpan(t, s, place{offset: s.begin})
		if len(lines) == 0 && content != "" {
			t.Fatalf("span %d is empty", i)
		}
		for k, l := range lines {
			raw := want[first+k]
			kept := raw[:min(len(raw), keep)]
			if l.number != k || l.sum != lineSum(k, crc64.Checksum([]byte(raw), crcTable)) ||
				!strings.HasPrefix(kept, string(l.text)) && !strings.HasPrefix(raw, string(l.text)) {
				t.Fatalf("span %d, line %d: %+v, want %.40q", i, k, l, raw)
			}
		}
		first += len(lines)
	}
	if at != int64(len(content)) || first != len(want) {
		t.Fatalf("the spans have %d of %d bytes and %d of %d lines", at, len(content), first, len(want))
	}
}

func TestEveryLineIsInOneShard(t *testing.T) {
	huge := strings.Repeat("x", 3*chunk+1)
	for name, content := range map[string]string{
		"empty":               "",
		"one line":            "a\n",
		"no line ending":      "a\nb\nc",
		"only line endings":   "\n\n\n\n",
		"CRLF":                "a\r\nb\r\n\r\nc",
		"fewer than shards":   "a\nb\n",
		"one huge line":       huge,
		"huge lines":          huge + "\n" + huge + "\ntail\n" + huge,
		"a huge line at last": "a\nb\nc\n" + huge,
		"a chunk exactly":     strings.Repeat("y", chunk-1) + "\nz\n",
		"a chunk and one":     strings.Repeat("y", chunk) + "\nz",
		"binary":              "\x00\xff\n\xfe\r\x80\n\n\x1b",
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 12, 100} {
				checkDivision(t, content, n)
			}
		})
	}
}

func TestEveryLineIsInOneShardForRandomText(t *testing.T) {
	const rounds = 100
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		for range r.IntN(60) {
			b.WriteString(strings.Repeat("ab\r"[r.IntN(3):][:1], r.IntN(1+r.IntN(40))))
			if r.IntN(9) > 0 {
				b.WriteByte('\n')
			}
		}
		n := 1 + r.IntN(30)
		checkDivision(t, b.String(), n)
		if t.Failed() {
			t.Fatalf("seed %d, %d shards of %q", seed, n, b.String())
		}
	}
}

func TestReadingContinuesFromEveryPosition(t *testing.T) {
	spans, err := divide([]*source{text("one\ntwo\r\n\nfour\n" + strings.Repeat("5", 2*chunk) + "\nsix\nseven")}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		all := readSpan(t, s, place{offset: s.begin})
		for i, l := range all {
			p := l.next
			from, err := s.resume(p.position())
			if err != nil || from != p {
				t.Fatalf("resume(%q) = %v, %v", p.position(), from, err)
			}
			rest := readSpan(t, s, from)
			if len(rest) != len(all)-i-1 || len(rest) > 0 && rest[0].sum != all[i+1].sum {
				t.Errorf("span %v from %v: %d lines, want %d", s.id, from, len(rest), len(all)-i-1)
			}
		}
	}
}

func TestResumeRefusesForeignPositions(t *testing.T) {
	s := &span{src: text("0123456789"), begin: 3, end: 7}
	for _, p := range []processor.Position{"5", "5:", "5:x", "5:1 ", "05:1", "2:0", "8:0", "5:-1", "-5:0"} {
		if got, err := s.resume(p); err == nil {
			t.Errorf("resume(%q) = %v", p, got)
		}
	}
	if got, err := s.resume(""); err != nil || got != (place{offset: 3}) {
		t.Errorf("the beginning is %v, %v", got, err)
	}
}

func TestShardsAreSharedOutBySize(t *testing.T) {
	big, small, empty := text(strings.Repeat("line\n", 900)), text(strings.Repeat("line\n", 100)), text("")
	small.log, empty.log = "small", "empty"
	spans, err := divide([]*source{big, small, empty}, 10)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, s := range spans {
		count[s.id.Log]++
		if err := s.id.Validate(); err != nil {
			t.Error(err)
		}
	}
	if count["test"] != 9 || count["small"] != 1 || count["empty"] != 1 {
		t.Errorf("the logs have %v shards, want 9, 1 and 1", count)
	}
}

func TestLogNames(t *testing.T) {
	taken := map[string]bool{}
	for path, want := range map[string]string{
		"/var/log/dpkg.log": "dpkg.log", "-x": "log-x", ".hidden": "log.hidden",
		"wéird name!": "w_ird_name_", strings.Repeat("n", 300): strings.Repeat("n", 100),
	} {
		if got := logName(path, taken); got != want {
			t.Errorf("logName(%q) = %q, want %q", path, got, want)
		}
	}
	if a, b := logName("d/dpkg.log", taken), logName("dpkg.log", taken); a != "dpkg.log-2" || b != "dpkg.log-3" {
		t.Errorf("names taken before become %q and %q", a, b)
	}
}
