package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/shardset"
)

// ListCheckpoints returns the checkpoints of a log, in any order. It claims no shard. A damaged
// file gives a Checkpoint without a position, not an error: only Load of its shard fails. The
// error matches os.ErrClosed after Close. Otherwise it wraps the cause of ctx or the error of
// the operating system.
func (f *FileCheckpoints) ListCheckpoints(ctx context.Context, log string) ([]Checkpoint, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, f.errClosed()
	}
	f.calls.Add(1)
	f.mu.Unlock()
	defer f.calls.Done()
	if err := f.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list checkpoint directory %q: %w", f.dir, err)
	}
	var list []Checkpoint
	for _, e := range entries {
		id, ok := parseFileName(e.Name(), log)
		if !ok {
			continue
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("list checkpoint directory %q: %w", f.dir, context.Cause(ctx))
		}
		s, err := f.checkpoint(id)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// checkpoint reads the file of a shard. It may run during a Save of the shard, because Save
// replaces the file as a whole.
func (f *FileCheckpoints) checkpoint(id shardset.ID) (Checkpoint, error) {
	path := filepath.Join(f.dir, fileName(id))
	p, found, err := readCheckpoint(path, id)
	var corrupt *corruptError
	if errors.As(err, &corrupt) || err == nil && !found {
		return Checkpoint{ID: id}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{ID: id}, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the checkpoint of shard %s: %w", id, err)
	}
	return Checkpoint{ID: id, Position: p, Updated: info.ModTime()}, nil
}

// parseFileName returns the shard of the log whose fileName is name, or false if there is none.
func parseFileName(name, log string) (shardset.ID, bool) {
	i := strings.LastIndexAny(name, "@-") + 1
	n, err := strconv.Atoi(name[i:])
	id := shardset.ID{Log: log, Number: n}
	return id, err == nil && id.Validate() == nil && fileName(id) == name
}
