package processor

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

// damage flips one bit in the middle of a shard's file.
func damage(t *testing.T, dir string, id shardset.ID) {
	t.Helper()
	path := filepath.Join(dir, fileName(id))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileFormatIsStable(t *testing.T) {
	got := string(encodeCheckpoint(shardset.ID{Log: "orders", Number: 7}, "MTYzNjk5N"))
	want := "rollcall checkpoint 1\ncrc32c 4b8d45b5\nshard orders/7\nposition 9\nMTYzNjk5N"
	if got != want {
		t.Errorf("encoded as\n%s\nwant\n%s", got, want)
	}
}

// After any cut, any flipped bit and any block of zeros, a read returns an error with the
// path, or the right position.
func TestCorruptEveryByte(t *testing.T) {
	dir, id := t.TempDir(), shardset.ID{Log: "orders", Number: 7}
	const want = Position("MTYzNjk5N\n\xff")
	path, good := filepath.Join(dir, fileName(id)), encodeCheckpoint(id, want)
	f := openStore(t, dir)
	try := func(what string, at int, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		p, ok, err := f.Load(t.Context(), ownerOf(id))
		var corrupt *corruptError
		switch {
		case bytes.Equal(data, good):
			if err != nil || !ok || p != want {
				t.Errorf("%s at %d: %q, %t, %v, want %q", what, at, p, ok, err, want)
			}
		case !errors.As(err, &corrupt) || ok || p != "":
			t.Errorf("%s at %d: %q, %t, %v, want it damaged", what, at, p, ok, err)
		case corrupt.path != path || corrupt.reason == "":
			t.Errorf("%s at %d: %+v, want the path %s and a reason", what, at, corrupt, path)
		}
	}
	for i := range len(good) + 1 {
		try("cut", i, good[:i])
		zeros := bytes.Clone(good)
		clear(zeros[i:])
		try("zeros", i, zeros)
	}
	for i := range good {
		for bit := range 8 {
			flipped := bytes.Clone(good)
			flipped[i] ^= 1 << bit
			try("flip", i, flipped)
		}
	}
	try("more", len(good), append(bytes.Clone(good), '\n'))
	try("twice", 0, bytes.Repeat(good, 2))
}

func TestCorruptReasons(t *testing.T) {
	id, other := shardset.ID{Log: "orders", Number: 7}, shardset.ID{Log: "orders", Number: 8}
	withSum := func(body string) string { return checkpointVersion + sumLine(body) + "\n" + body }
	for _, tt := range []struct{ name, content, want string }{
		{"empty", "", "does not begin"},
		{"garbage", "hello\n", "does not begin"},
		{"newer", strings.Replace(string(encodeCheckpoint(id, "p")), " 1\n", " 2\n", 1), "does not begin"},
		{"torn", string(encodeCheckpoint(id, "some position")[:70]), "checksum"},
		{"misplaced", string(encodeCheckpoint(other, "p")), "orders/8, not of orders/7"},
		{"no position", withSum("shard orders/7\nposition 0\n"), "0 bytes"},
		{"two spellings", withSum("shard orders/7\nposition 01\np"), "fit"},
		{"wrong length", withSum("shard orders/7\nposition 2\np"), "fit"},
		{"no shard", withSum("position 1\np"), "invalid shard id"},
		{"too long", string(encodeCheckpoint(id, Position(strings.Repeat("x", maxPosition+1)))), "65537 bytes"},
		{"huge", strings.Repeat("x", maxFile+1), "size of 66561 bytes"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName(id))
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		f := openStore(t, dir) // one damaged file does not stop the others
		mustLoad(t, f, ownerOf(other))
		_, _, err := f.Load(t.Context(), ownerOf(id))
		var corrupt *corruptError
		if !errors.As(err, &corrupt) || !strings.Contains(corrupt.reason, tt.want) {
			t.Errorf("%s: %v, want it damaged with %q", tt.name, err, tt.want)
			continue
		}
		if msg := err.Error(); !strings.Contains(msg, path) || !strings.Contains(msg, "restore") || !strings.Contains(msg, "delete") {
			t.Errorf("%s: %q does not say which file and what to do", tt.name, msg)
		}
	}
}

func TestCorruptNotAFile(t *testing.T) {
	dir, id := t.TempDir(), shardset.ID{Number: 7}
	if err := os.Mkdir(filepath.Join(dir, fileName(id)), 0o700); err != nil {
		t.Fatal(err)
	}
	var corrupt *corruptError
	if _, _, err := openStore(t, dir).Load(t.Context(), ownerOf(id)); !errors.As(err, &corrupt) {
		t.Errorf("a directory for a file: %v, want it damaged", err)
	}
}

func TestFileNames(t *testing.T) {
	for id, want := range map[shardset.ID]string{
		{Number: 7}:                   "shard-7",
		{Log: "orders", Number: 7}:    "shard-orders@7",
		{Log: "Orders", Number: 7}:    "shard-orders+8@7",
		{Log: "SLS-Log", Number: 0}:   "shard-sls-log+e8@0",
		{Log: "ordersX", Number: 7}:   "shard-ordersx+02@7",
		{Log: "a.b_c-d", Number: 123}: "shard-a.b_c-d@123",
	} {
		if got := fileName(id); got != want {
			t.Errorf("shard %s: %q, want %q", id, got, want)
		}
	}
	if got := len(fileName(shardset.ID{Log: strings.Repeat("Z", 128), Number: math.MaxInt}) + tempSuffix); got > 191 {
		t.Errorf("the longest name has %d bytes", got)
	}
}

// All names of up to four bytes from a small alphabet: no two shards share a file, even in
// a file system that ignores case, and no file has the name of another one.
func TestFileNamesAreDistinct(t *testing.T) {
	seen := map[string]shardset.ID{lockName: {Number: -1}}
	var walk func(log string)
	walk = func(log string) {
		for _, n := range []int{0, 1, 10} {
			id := shardset.ID{Log: log, Number: n}
			if id.Validate() != nil {
				continue
			}
			name := strings.ToLower(fileName(id))
			if name != filepath.Base(name) || strings.ContainsAny(name, `/\:*?"<>|`) || strings.HasSuffix(name, tempSuffix) {
				t.Errorf("shard %s: unsafe name %q", id, name)
			}
			if other, ok := seen[name]; ok {
				t.Errorf("shards %s and %s share %q", id, other, name)
			}
			seen[name] = id
		}
		if len(log) < 4 {
			for _, c := range "aAbB01.-_" {
				walk(log + string(c))
			}
		}
	}
	walk("")
}

func FuzzDecodeCheckpoint(f *testing.F) {
	for _, p := range oddPositions {
		if len(p) == maxPosition {
			continue // the fuzzer is slow with long inputs
		}
		f.Add(encodeCheckpoint(shardset.ID{Log: "Orders", Number: 7}, p))
	}
	f.Add(encodeCheckpoint(shardset.ID{}, "0"))
	f.Add([]byte(checkpointVersion))
	f.Add([]byte(checkpointVersion + sumLine("") + "\n"))
	f.Add([]byte(checkpointVersion + sumLine("shard 1\nposition +1\np") + "\nshard 1\nposition +1\np"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// As it is, and with the checksum set right, which a mutation hardly hits.
		for _, data := range [][]byte{data, withRightSum(data)} {
			id, p, err := decodeCheckpoint(data)
			if err != nil {
				continue
			}
			if again := encodeCheckpoint(id, p); !bytes.Equal(again, data) {
				t.Errorf("%q decodes to %s at %q, which encodes to %q", data, id, p, again)
			}
			if id.Validate() != nil || p == "" || len(p) > maxPosition {
				t.Errorf("%q decodes to %q at %q", data, id, p)
			}
		}
	})
}

func withRightSum(data []byte) []byte {
	rest := strings.TrimPrefix(string(data), checkpointVersion)
	_, body, _ := strings.Cut(rest, "\n")
	return []byte(checkpointVersion + sumLine(body) + "\n" + body)
}
