package processor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// disk is the file system, with one method for each step of a save. Tests replace it by one
// that stops between two steps, or by one that loses what was not synced.
type disk interface {
	// create makes the file, or empties the file that is there.
	create(path string) (diskFile, error)
	rename(from, to string) error
	remove(path string) error
	// syncDir makes the names in the directory durable.
	syncDir(dir string) error
}

// diskFile is a file that is being written. Sync makes its content durable.
type diskFile interface {
	Write(data []byte) (int, error)
	Sync() error
	Close() error
}

// replaceFile replaces the content of a file as a whole. It makes the new content durable before
// the rename: otherwise a power cut could leave an empty file under the name. It makes the name
// durable before it returns: otherwise a power cut could restore the old content.
//
// If ctx ends before the rename, the file is unchanged. There is one temporary name per file, so
// two calls for one file must not overlap.
func replaceFile(ctx context.Context, d disk, path string, data []byte) error {
	temp := path + tempSuffix
	err := writeFile(d, temp, data)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = d.rename(temp, path)
	}
	if err != nil {
		_ = d.remove(temp) // if that fails, the next save or open removes it
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// writeFile makes a file whose content is durable. Its name is not durable yet.
func writeFile(d disk, path string, data []byte) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// osDisk is the file system of the operating system.
type osDisk struct{}

func (osDisk) create(path string) (diskFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err // not f, which would be a non-nil diskFile
	}
	return f, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a directory
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeDir creates dir and its missing parents, and makes their names durable.
func makeDir(dir string) error {
	parent := filepath.Dir(dir)
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
		}
		// A killed process may have created dir without a sync of the parent, so sync it now.
		// Ignore an error: the parent may belong to another user, who then created dir too.
		_ = osDisk{}.syncDir(parent)
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) || parent == dir {
		return err
	}
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return osDisk{}.syncDir(parent)
}

// removeLeftovers removes files that a killed process left half written. The caller holds the
// lock.
func removeLeftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), namePrefix) || !strings.HasSuffix(e.Name(), tempSuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
