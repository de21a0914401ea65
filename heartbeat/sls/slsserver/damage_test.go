package slsserver

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// TestTornTails cuts and damages the last bytes of every file.
func TestTornTails(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	r.createGroup(60, false)
	for i := range 5 {
		r.want(r.put(lowKey, logGroup("i", strconv.Itoa(i))), 200, "")
	}
	begin := r.cursor(0, "begin")
	var files []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != lockName {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
			if info, _ := d.Info(); info.Mode().Perm() != fileMode {
				t.Errorf("%s has the mode %v", rel, info.Mode())
			}
		}
		return err
	})
	if len(files) != 2 { // the journal and one segment
		t.Fatalf("files: %v", files)
	}
	r.want(r.commit("", 0, begin, true), 200, "") // the last record of the journal
	r.want(r.put(lowKey, logGroup("i", "torn")), 200, "")
	for _, name := range files {
		whole, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, damage := range []func([]byte) []byte{
			func(b []byte) []byte { return b[:len(b)-1] },
			func(b []byte) []byte { return b[:len(b)-9] },
			func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
			func(b []byte) []byte { return append(b, 0xff, 0, 0) },
			func(b []byte) []byte { return append(b, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5) },
		} {
			to := copyDir(t, dir)
			if err := os.WriteFile(filepath.Join(to, name), damage(slices.Clone(whole)), fileMode); err != nil {
				t.Fatal(err)
			}
			again := r.reopen(to)
			groups, _ := again.pages(0)
			want := 6
			if name != journalName && i < 3 {
				want = 5
			}
			if len(groups) != want {
				t.Errorf("%s, damage %d: %d groups, want %d", name, i, len(groups), want)
			}
			if want == 5 && name != journalName && again.cursor(0, "end") != plus(begin, 5) {
				t.Errorf("%s, damage %d: the end is %s", name, i, again.cursor(0, "end"))
			}
			if cp := again.checkpoint(0).Checkpoint; (cp == "") != (name == journalName && i < 3) {
				t.Errorf("%s, damage %d: the checkpoint is %q", name, i, cp)
			}
			// It goes on from there.
			again.want(again.put(lowKey, logGroup("i", "next")), 200, "")
			_ = again.Close()
			last := r.reopen(to)
			if groups, _ := last.pages(0); len(groups) != want+1 {
				t.Errorf("%s, damage %d: then %d groups, want %d", name, i, len(groups), want+1)
			}
			_ = last.Close()
		}
	}
}

// TestRandomCuts cuts the journal and the segments anywhere: the server opens with a
// beginning of what there was.
func TestRandomCuts(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, Config{Dir: dir})
	r.createGroup(60, false)
	for i := range 20 {
		r.want(r.put(lowKey, logGroup("i", strconv.Itoa(i))), 200, "")
		r.want(r.commit("", 0, r.cursor(0, "end"), true), 200, "")
	}
	segments, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	all, _ := r.pages(0)
	rng := rand.New(rand.NewPCG(7, 8))
	for range 60 {
		to := copyDir(t, dir)
		name := filepath.Join(to, journalName)
		if rng.IntN(2) == 0 {
			rel, _ := filepath.Rel(dir, segments[0])
			name = filepath.Join(to, rel)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, rng.Int64N(info.Size()+1)); err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Dir: to, Projects: []Project{{Name: "p"}}})
		if err != nil {
			t.Fatal(err)
		}
		again := &rig{t, s}
		if again.do("GET", "/logstores/ls/shards", "").status != 200 {
			_ = s.Close() // the cut was before the logstore
			continue
		}
		groups, _ := again.pages(0)
		for i, g := range groups {
			if string(g) != string(all[i]) {
				t.Fatalf("group %d is another one", i)
			}
		}
		if again.do("GET", groupPath, "").status == 200 {
			cp := again.checkpoint(0)
			at, _ := parseCursor(cp.Checkpoint)
			end, _ := parseCursor(again.cursor(0, "end"))
			if at > end {
				t.Errorf("the checkpoint %d is beyond the end %d: what comes next would be passed over", at, end)
			}
		}
		_ = s.Close()
	}
}

func TestDamageInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	seg := &segments{dir: filepath.Join(dir, "x")}
	b, _ := newBlock(sample)
	for i := range int64(6) {
		if i%2 == 0 && seg.active != nil {
			seg.active.size = segmentBytes // as if it were full
		}
		if err := seg.append(100+i, entry{block: b}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seg.bases) != 3 {
		t.Fatalf("files: %v", seg.bases)
	}
	load := func() (n int, err error) {
		err = (&segments{dir: seg.dir}).load(func(int64, entry) error { n++; return nil })
		return n, err
	}
	if err := os.Truncate(seg.name(102), 100); err != nil {
		t.Fatal(err)
	}
	if n, err := load(); err == nil {
		t.Errorf("a torn file in the middle gives %d groups", n)
	}
	seg.trim(103)
	if fmt.Sprint(seg.bases) != "[102 104]" {
		t.Errorf("trimmed to %v", seg.bases)
	}
	seg.trim(1000)
	if fmt.Sprint(seg.bases) != "[104]" { // the newest stays
		t.Errorf("trimmed to %v", seg.bases)
	}
	if err := os.WriteFile(filepath.Join(seg.dir, "README"), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); err == nil {
		t.Error("a strange file is passed over")
	}
	seg.remove()
	if _, err := os.Stat(seg.dir); !os.IsNotExist(err) {
		t.Errorf("after remove: %v", err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(appendFrame(nil, []byte(`{"type":"logstore","project":"p","logstore":"ls","dir":1,"next":1,"shards":[{"id":0,"begin":"00","end":"ff"}]}`)))
	f.Add(appendFrame(nil, []byte(`{"type":"group","project":"p","logstore":"ls","group":"g","ttl":-1}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for payload, rest, ok := cutFrame(data); ok; payload, rest, ok = cutFrame(rest) {
			if len(payload) > len(data) || len(rest) >= len(data) {
				t.Fatal("a frame is longer than all")
			}
			data = rest
		}
		_, _ = readEntry(data)
	})
}
