package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is one log to process: a file, or the bundled sample. Its size is read once,
// when it is opened. Lines that are appended later are not part of the run.
type source struct {
	label string // for people: the path as it was given
	log   string // for shardset.ID: unique and valid
	size  int64
	io.ReaderAt
	close func() error
}

// openSources opens all files, or none. The error names every file that cannot be
// read. No files means the sample.
func openSources(paths []string) ([]*source, error) {
	if len(paths) == 0 {
		data := sample()
		return []*source{{
			label: "bundled sample", log: "access.log", size: int64(len(data)),
			ReaderAt: bytes.NewReader(data), close: func() error { return nil },
		}}, nil
	}
	var sources []*source
	var faults []string
	taken := map[string]bool{}
	for _, path := range paths {
		src, err := openFile(path)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%q: %v", path, err))
			continue
		}
		src.log = logName(path, taken)
		sources = append(sources, src)
	}
	if len(faults) > 0 {
		closeSources(sources)
		return nil, fmt.Errorf("cannot read %s", strings.Join(faults, "; "))
	}
	return sources, nil
}

func closeSources(sources []*source) {
	for _, s := range sources {
		_ = s.close() // it was only read
	}
}

func openFile(path string) (*source, error) {
	info, err := os.Stat(path) // before opening it, because opening a pipe waits for its other end
	if err == nil && info.IsDir() {
		return nil, errors.New("is a directory")
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(path, "-") {
		return nil, errors.New("no such file (flags go before the files)")
	}
	if err != nil {
		return nil, reason(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	src := &source{label: path, size: info.Size(), ReaderAt: f, close: f.Close}
	if err := src.probe(); err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return src, nil
}

// probe reads one byte, because some files can be opened but not read.
func (s *source) probe() error {
	n, err := s.ReadAt(make([]byte, 1), 0)
	if n == 1 && s.size == 0 {
		return errors.New("does not tell its size")
	}
	if n == 0 && !errors.Is(err, io.EOF) {
		return reason(err)
	}
	return nil
}

// reason is what the system said, without the path that the caller prints.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// logName turns a path's last element into a log name that is valid in a shardset.ID,
// and unique.
func logName(path string, taken map[string]bool) string {
	const maxLen = 100
	name := strings.Map(func(r rune) rune {
		if alphanumeric(r) || strings.ContainsRune(".-_", r) {
			return r
		}
		return '_'
	}, filepath.Base(path))
	name = name[:min(len(name), maxLen)]
	if !alphanumeric(rune(name[0])) {
		name = "log" + name
	}
	unique := name
	for i := 2; taken[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	taken[unique] = true
	return unique
}

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
