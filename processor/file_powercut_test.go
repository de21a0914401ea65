package processor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

// lossyDisk keeps files in memory and simulates what a power cut may do to them. Content
// that was not synced may be there, half there, or missing. Names may be as they were at
// the last syncDir, or as they are now.
type lossyDisk struct {
	now, durable map[string]*lossyFile // by path
	step         func()                // after each
}

type lossyFile struct {
	disk          *lossyDisk
	data, durable []byte
}

func (d *lossyDisk) create(path string) (diskFile, error) {
	f := d.now[path]
	if f == nil {
		f = &lossyFile{disk: d}
		d.now[path] = f
	}
	f.data = nil
	d.step()
	return f, nil
}

func (d *lossyDisk) rename(from, to string) error {
	d.now[to] = d.now[from]
	delete(d.now, from)
	d.step()
	return nil
}

func (d *lossyDisk) remove(path string) error {
	delete(d.now, path)
	d.step()
	return nil
}

func (d *lossyDisk) syncDir(string) error {
	clear(d.durable)
	for path, f := range d.now {
		d.durable[path] = f
	}
	d.step()
	return nil
}

func (f *lossyFile) Write(data []byte) (int, error) {
	for _, part := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		f.data = append(f.data, part...)
		f.disk.step()
	}
	return len(data), nil
}

func (f *lossyFile) Sync() error {
	f.durable = bytes.Clone(f.data)
	f.disk.step()
	return nil
}

func (f *lossyFile) Close() error {
	f.disk.step()
	return nil
}

// afterPowerCut returns all that may be found under the path; nil for no file.
func (d *lossyDisk) afterPowerCut(path string) [][]byte {
	var all [][]byte
	for _, f := range []*lossyFile{d.durable[path], d.now[path]} {
		switch {
		case f == nil:
			all = append(all, nil)
		case bytes.Equal(f.data, f.durable):
			all = append(all, f.data)
		default:
			all = append(all, f.data, []byte{}, f.data[:len(f.data)/2], append([]byte{}, f.durable...))
		}
	}
	return all
}

// Three saves, with a power cut at each step: the position is that of the last save that
// succeeded, or the next one.
func TestFilePowerCut(t *testing.T) {
	o := ownerOf(shardset.ID{Log: "orders", Number: 7})
	f := openStore(t, t.TempDir())
	mustLoad(t, f, o)
	path := filepath.Join(f.dir, fileName(o.Lease.ID))
	var before, saving Position // acknowledged, under way
	steps, cuts := 0, 0
	disk := &lossyDisk{now: map[string]*lossyFile{}, durable: map[string]*lossyFile{}}
	check := func() {
		steps++
		for _, content := range disk.afterPowerCut(path) {
			cuts++
			dir := t.TempDir()
			if content != nil {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, _, err := openStore(t, dir).Load(t.Context(), o)
			if err != nil || got != before && got != saving {
				t.Fatalf("power cut at step %d, with %q acknowledged and %q under way: loaded %q, %v", steps, before, saving, got, err)
			}
		}
	}
	disk.step = check
	f.disk = disk
	for i := range 3 {
		saving = Position(fmt.Sprintf("position %d", i))
		mustSave(t, f, o, saving)
		before = saving
		check()
	}
	if cuts < 3*7 {
		t.Errorf("only %d power cuts were tried", cuts)
	}
}
