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

// ListCheckpoints returns the positions of a log's shards. A damaged file counts as a shard
// without a position: Load reports it, and other shards do not wait until it is mended. The
// error matches os.ErrClosed after Close; otherwise it is the cause of ctx, or wraps the
// error of the operating system.
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
		id, ok := namedShard(e.Name(), log)
		if !ok {
			continue
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("list checkpoint directory %q: %w", f.dir, context.Cause(ctx))
		}
		s, err := f.stored(id)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// stored reads the file of a shard. A Save may replace the file at the same time; the file
// is always whole.
func (f *FileCheckpoints) stored(id shardset.ID) (Checkpoint, error) {
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

// namedShard returns the shard of a log that has a file of that name.
func namedShard(name, log string) (shardset.ID, bool) {
	i := strings.LastIndexAny(name, "@-") + 1
	n, err := strconv.Atoi(name[i:])
	id := shardset.ID{Log: log, Number: n}
	return id, err == nil && id.Validate() == nil && fileName(id) == name
}
