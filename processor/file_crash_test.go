package processor

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/rollcall-go/rollcall/shardset"
)

// scriptDisk calls a function of the test before each step. If that returns an error, the
// step fails with it and does nothing; a write writes the first half.
type scriptDisk struct {
	osDisk
	before func(step, path string) error
}

type scriptFile struct {
	diskFile
	disk *scriptDisk
	path string
}

func (d *scriptDisk) create(path string) (diskFile, error) {
	if err := d.before("create", path); err != nil {
		return nil, err
	}
	f, err := d.osDisk.create(path)
	return &scriptFile{f, d, path}, err
}

func (d *scriptDisk) rename(from, to string) error {
	if err := d.before("rename", to); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d *scriptDisk) remove(path string) error {
	if err := d.before("remove", path); err != nil {
		return err
	}
	return d.osDisk.remove(path)
}

func (d *scriptDisk) syncDir(dir string) error {
	if err := d.before("syncDir", dir); err != nil {
		return err
	}
	return d.osDisk.syncDir(dir)
}

func (f *scriptFile) Write(data []byte) (int, error) {
	if err := f.disk.before("write", f.path); err != nil {
		n, _ := f.diskFile.Write(data[:len(data)/2])
		return n, err
	}
	return f.diskFile.Write(data)
}

func (f *scriptFile) Sync() error {
	if err := f.disk.before("sync", f.path); err != nil {
		return err
	}
	return f.diskFile.Sync()
}

func (f *scriptFile) Close() error {
	return errors.Join(f.disk.before("close", f.path), f.diskFile.Close())
}

// A kill after each step of a save, and in the middle of its write: no later step happens,
// and the kernel releases the lock.
func TestFileKilledAfterEachStep(t *testing.T) {
	for _, old := range []Position{"", "old position"} {
		for done := 0; ; done++ {
			dir, o := t.TempDir(), ownerOf(shardset.ID{Log: "orders", Number: 7})
			f := openStore(t, dir)
			mustLoad(t, f, o)
			if old != "" {
				mustSave(t, f, o, old)
			}
			var steps []string
			f.disk = &scriptDisk{before: func(step, _ string) error {
				if len(steps) == done {
					return errors.New("killed")
				}
				steps = append(steps, step)
				return nil
			}}
			saved := f.Save(t.Context(), o, "new position") == nil
			if err := f.lock.Close(); err != nil {
				t.Fatal(err)
			}
			again := openStore(t, dir)
			got, ok := mustLoad(t, again, o)
			if got != "new position" && (saved || got != old) || ok != (got != "") {
				t.Errorf("killed after %q: %q, %t, want the new position or %q", steps, got, ok, old)
			}
			if slices.ContainsFunc(dirNames(t, dir), func(n string) bool { return strings.HasSuffix(n, tempSuffix) }) {
				t.Errorf("killed after %q: reopening left %q", steps, dirNames(t, dir))
			}
			mustSave(t, again, o, "next")
			if saved {
				if want := []string{"create", "write", "sync", "close", "rename", "syncDir"}; !slices.Equal(steps, want) {
					t.Errorf("a save takes the steps %q, want %q", steps, want)
				}
				break
			}
		}
	}
}

// An error of the operating system can be matched and names the path. Only its save fails:
// the next one succeeds.
func TestFileDiskErrors(t *testing.T) {
	for step, want := range map[string]error{
		"create": syscall.EROFS, "write": syscall.ENOSPC, "sync": syscall.EIO, "close": syscall.EDQUOT,
		"rename": syscall.EACCES, "syncDir": syscall.EIO,
	} {
		dir, o := t.TempDir(), ownerOf(shardset.ID{Log: "orders", Number: 7})
		f := openStore(t, dir)
		mustLoad(t, f, o)
		mustSave(t, f, o, "old")
		disk := &scriptDisk{before: func(s, path string) error {
			if s == step {
				return &os.PathError{Op: s, Path: path, Err: want}
			}
			return nil
		}}
		f.disk = disk
		if err := f.Save(t.Context(), o, "new"); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want %v and the path", step, err, want)
		}
		left := Position("old")
		if step == "syncDir" {
			left = "new" // in place, but maybe not for good
		}
		if p, _ := mustLoad(t, f, o); p != left {
			t.Errorf("%s: %q is left, want %q", step, p, left)
		}
		if names := dirNames(t, dir); len(names) != 1 {
			t.Errorf("%s: the directory has %q", step, names)
		}
		step = "" // the disk is well again
		mustSave(t, f, o, "next")
	}
}

// If the lease expires during the sync of the content, the save fails.
func TestFileContextEndsDuringSave(t *testing.T) {
	dir, o := t.TempDir(), ownerOf(shardset.ID{Number: 7})
	f := openStore(t, dir)
	mustLoad(t, f, o)
	mustSave(t, f, o, "old")
	ctx, cancel := context.WithCancelCause(t.Context())
	f.disk = &scriptDisk{before: func(step, _ string) error {
		if step == "sync" {
			cancel(ErrLeaseLost)
		}
		return nil
	}}
	if err := f.Save(ctx, o, "new"); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("save: %v, want %v", err, ErrLeaseLost)
	}
	if p, _ := mustLoad(t, f, o); p != "old" {
		t.Errorf("loaded %q, want old", p)
	}
	if names := dirNames(t, dir); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
}

// The disk operation of one shard hangs. Other shards are not affected, calls for this shard
// end with their contexts, and Close keeps the directory locked until the operation ends.
func TestFileSlowShard(t *testing.T) { synctest.Test(t, testFileSlowShard) }

func testFileSlowShard(t *testing.T) {
	dir, slow, other := t.TempDir(), ownerOf(shardset.ID{Number: 1}), ownerOf(shardset.ID{Number: 2})
	f := openStore(t, dir)
	mustLoad(t, f, slow)
	mustLoad(t, f, other)
	release := make(chan struct{})
	f.disk = &scriptDisk{before: func(step, path string) error {
		if step == "sync" && strings.Contains(path, fileName(slow.Lease.ID)+tempSuffix) {
			<-release
		}
		return nil
	}}
	// start returns when the call hangs or has returned.
	start := func(call func() error) chan error {
		result := make(chan error, 1)
		go func() { result <- call() }()
		synctest.Wait()
		return result
	}
	refused := func(what string, result chan error, want error) {
		t.Helper()
		synctest.Wait()
		select {
		case err := <-result:
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		default:
			t.Errorf("%s: still waits, want %v", what, want)
		}
	}
	hanging := start(func() error { return f.Save(t.Context(), slow, "p") })
	mustSave(t, f, other, "p")

	ctx, cancel := context.WithCancelCause(t.Context())
	save := start(func() error { return f.Save(ctx, slow, "q") })
	load := start(func() error { _, _, err := f.Load(ctx, slow); return err })
	cancel(ErrLeaseLost)
	refused("a save that waits, context over", save, ErrLeaseLost)
	refused("a load that waits, context over", load, ErrLeaseLost)

	save = start(func() error { return f.Save(t.Context(), slow, "q") })
	closing := start(f.Close)
	refused("a save that waits, store closed", save, os.ErrClosed)
	if _, err := OpenFileCheckpoints(dir); !errors.Is(err, ErrDirInUse) {
		t.Errorf("open while a save is under way: %v, want %v", err, ErrDirInUse)
	}
	close(release)
	if err := <-hanging; err != nil {
		t.Errorf("the save that hung: %v", err)
	}
	if err := <-closing; err != nil {
		t.Errorf("close: %v", err)
	}
	if p, _ := mustLoad(t, openStore(t, dir), slow); p != "p" {
		t.Errorf("loaded %q, want p", p)
	}
}
