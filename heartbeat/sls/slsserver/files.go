package slsserver

import (
	"errors"
	"os"
	"path/filepath"
)

// appendFile is a file that only grows. A write that fails is taken back; if that fails
// as well, nothing more is written, because nobody knows what the file ends in.
type appendFile struct {
	f      *os.File
	size   int64
	sync   bool
	broken error
}

// openAppend opens or creates a file and cuts it at size.
func openAppend(name string, size int64, sync bool) (*appendFile, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if sync {
		if err := errors.Join(f.Sync(), syncDir(filepath.Dir(name))); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &appendFile{f: f, size: size, sync: sync}, nil
}

func (a *appendFile) write(data []byte) error {
	if a.broken != nil {
		return a.broken
	}
	_, err := a.f.WriteAt(data, a.size)
	if err == nil && a.sync {
		err = a.f.Sync()
	}
	if err != nil {
		if undo := a.f.Truncate(a.size); undo != nil {
			a.broken = errors.Join(err, undo)
		}
		return err
	}
	a.size += int64(len(data))
	return nil
}

func (a *appendFile) close() error {
	if a.f == nil {
		return nil
	}
	return a.f.Close()
}

// replaceFile writes a file beside the old one and puts it in its place.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-*") // its mode is 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
