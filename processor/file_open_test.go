package processor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are of Unix")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, o := openStore(t, dir), ownerOf(shardset.ID{})
	mustLoad(t, f, o)
	mustSave(t, f, o, "p")
	for path, want := range map[string]fs.FileMode{
		"..": fs.ModeDir | 0o700, ".": fs.ModeDir | 0o700, fileName(shardset.ID{}): 0o600, lockName: 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

func TestFileLock(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir)
	for range 2 { // a refused open must not release the lock
		_, err := OpenFileCheckpoints(dir)
		if !errors.Is(err, ErrDirInUse) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("second open: %v, want %v and the directory's name", err, ErrDirInUse)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
}

func TestFileClosed(t *testing.T) {
	f, o := openStore(t, t.TempDir()), ownerOf(shardset.ID{})
	mustLoad(t, f, o)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, load := f.Load(t.Context(), o)
	for call, err := range map[string]error{"Load": load, "Save": f.Save(t.Context(), o, "p"), "Close": f.Close()} {
		if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), f.dir) {
			t.Errorf("%s after Close: %v, want %v and the directory's name", call, err, os.ErrClosed)
		}
	}
}

func TestFileOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noLock := t.TempDir()
	if err := os.Mkdir(filepath.Join(noLock, lockName), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"no name": "", "a file": file, "below a file": filepath.Join(file, "dir"), "a directory for a lock": noLock,
	} {
		_, err := OpenFileCheckpoints(dir)
		if err == nil || !strings.Contains(err.Error(), dir) || errors.Is(err, ErrDirInUse) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
		if strings.HasPrefix(dir, file) && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v, want %v", name, err, syscall.ENOTDIR)
		}
	}
}

func TestFileReadOnlyDirectory(t *testing.T) {
	if os.Geteuid() <= 0 {
		t.Skip("modes do not bind this user")
	}
	dir, o := t.TempDir(), ownerOf(shardset.ID{})
	f := openStore(t, dir)
	mustLoad(t, f, o)
	mustSave(t, f, o, "p1")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // so that it can be removed
	if err := f.Save(t.Context(), o, "p2"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("save: %v, want %v and the path", err, fs.ErrPermission)
	}
	if p, _ := mustLoad(t, f, o); p != "p1" {
		t.Errorf("loaded %q, want p1", p)
	}
	below := filepath.Join(dir, "below")
	if _, err := OpenFileCheckpoints(below); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), below) {
		t.Errorf("open: %v, want %v and the path", err, fs.ErrPermission)
	}
}

// A directory that was removed or replaced must not look like one without checkpoints.
func TestFileDirectoryReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be moved")
	}
	dir, o := filepath.Join(t.TempDir(), "dir"), ownerOf(shardset.ID{})
	f := openStore(t, dir)
	mustLoad(t, f, o)
	mustSave(t, f, o, "p1")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	refuses := func(when string) {
		t.Helper()
		if p, ok, err := f.Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: load: %q, %t, %v, want an error that names the directory", when, p, ok, err)
		}
		if err := f.Save(t.Context(), o, "p2"); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: save: %v, want an error that names the directory", when, err)
		}
	}
	refuses("gone")
	openStore(t, dir)
	refuses("replaced")
}

func TestFileLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	keep := []string{"notes.tmp", "shard-orders@7.bak"}
	for _, name := range append(keep, "shard-orders@7.tmp", "shard-0.tmp") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openStore(t, dir)
	if names := dirNames(t, dir); !slices.Equal(names, keep) {
		t.Errorf("left are %q, want %q", names, keep)
	}
}
