package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/rollcall-go/rollcall/shardset"
)

// ErrDirInUse is matched by the error of OpenFileCheckpoints when an open store, of
// this process or another, has the directory.
var ErrDirInUse = errors.New("in use by another open store")

const (
	// lockName is the file that an open store holds locked. It is never removed:
	// whoever locks a new file of that name would not see the holder of the old.
	lockName = "lock"

	// tempSuffix ends the name of a file that is being written. No checkpoint's
	// name ends so: those end in a digit.
	tempSuffix = ".tmp"
)

// FileCheckpoints keeps positions in a directory on a local disk, one small file per
// shard: for the workers of one process, which find them again when it restarts.
// One open store at a time has the directory. It remembers in memory who loaded a
// shard last, and refuses the saves of earlier owners; a store that was just opened
// knows of none. Safe for concurrent use: the calls for one shard go one after the
// other, those for different shards do not wait for each other.
//
// A call waits for its turn no longer than its context lasts, but what it has begun
// to ask of the disk it waits for.
type FileCheckpoints struct {
	dir  string // absolute
	lock *os.File
	held fs.FileInfo // of lock
	disk disk        // replaced by tests, before the first call

	closing chan struct{}  // closed by Close
	calls   sync.WaitGroup // Load and Save in flight; grows only under mu

	mu     sync.Mutex // guards the fields below; never held across I/O
	closed bool
	shards map[shardset.ID]*fileShard
}

type fileShard struct {
	slot  chan struct{} // held by the call in flight
	claim claim         // guarded by slot
}

// OpenFileCheckpoints opens a directory of checkpoints, and creates it with mode
// 0700, parents too, if it is not there. It removes what a killed process left half
// written. It does not read the checkpoints: a damaged one is reported by the Load
// of its shard and stops no other.
//
// The directory is the store's until Close or the end of the process, a kill
// included. The error matches ErrDirInUse if another open store has it; otherwise it
// wraps what the operating system said. On systems without a file lock (neither Unix
// nor Windows) it matches errors.ErrUnsupported.
func OpenFileCheckpoints(dir string) (*FileCheckpoints, error) {
	f := &FileCheckpoints{disk: osDisk{}, closing: make(chan struct{}), shards: map[shardset.ID]*fileShard{}}
	if err := f.open(dir); err != nil {
		return nil, fmt.Errorf("open checkpoint directory %q: %w", dir, err)
	}
	return f, nil
}

func (f *FileCheckpoints) open(dir string) (err error) {
	if dir == "" {
		return errors.New("the name is empty")
	}
	if f.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := makeDir(f.dir); err != nil {
		return err
	}
	if f.lock, err = lockFile(filepath.Join(f.dir, lockName)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.lock.Close() // nothing was written through it
		}
	}()
	if f.held, err = f.lock.Stat(); err != nil {
		return err
	}
	if err := removeLeftovers(f.dir); err != nil {
		return err
	}
	// A file system that cannot sync a directory says so here, not at the first Save.
	return f.disk.syncDir(f.dir)
}

// Load returns the shard's position and claims the shard for o. It returns false
// only if the shard has no file. The error matches ErrNotOwner if a later epoch was
// claimed, and os.ErrClosed after Close; it is a *corruptError, made with Halt, if the
// file is not what a Save left; otherwise it is the end of ctx or wraps what the operating
// system said. With an error, nothing is claimed.
func (f *FileCheckpoints) Load(ctx context.Context, o Owner) (Position, bool, error) {
	s, err := f.enter(ctx, o.Lease.ID, true)
	if err != nil {
		return "", false, err
	}
	defer f.leave(s)
	next := s.claim
	if err := next.take(o); err != nil {
		return "", false, err
	}
	// A directory that is gone has no file either, and that does not mean that
	// nothing was ever committed.
	if err := f.check(); err != nil {
		return "", false, err
	}
	p, found, err := readCheckpoint(filepath.Join(f.dir, fileName(o.Lease.ID)), o.Lease.ID)
	if corrupt := new(*corruptError); errors.As(err, corrupt) {
		return "", false, Halt(err) // reading it again does not mend it
	}
	if err != nil {
		return "", false, err
	}
	s.claim = next
	return p, found, nil
}

// Save stores the position if o has the newest claim. When it returns nil, the
// position survives a kill and, as far as the disk keeps the promise of fsync, a
// power cut; on Windows, which cannot sync a directory, a power cut may bring back
// the position before it. If it is interrupted at any point, the next Load finds
// this position or the one before.
//
// A position is 1 to 65,536 bytes of any kind: longer ones are refused, and for the
// empty one the error matches ErrEmptyPosition. The error matches ErrNotOwner if o
// is not the owner, and os.ErrClosed after Close; otherwise it is the end of ctx or
// wraps what the operating system said: syscall.ENOSPC, syscall.EROFS and the like
// can be matched. Only after the latter may the position be stored all the same.
func (f *FileCheckpoints) Save(ctx context.Context, o Owner, p Position) error {
	switch {
	case p == "":
		return fmt.Errorf("save the checkpoint of shard %s: %w", o.Lease.ID, ErrEmptyPosition)
	case len(p) > maxPosition:
		return fmt.Errorf("save the checkpoint of shard %s: the position has %d bytes, and at most %d are stored",
			o.Lease.ID, len(p), maxPosition)
	}
	s, err := f.enter(ctx, o.Lease.ID, false)
	if err != nil {
		return err
	}
	defer f.leave(s)
	if err := s.claim.check(o); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	path := filepath.Join(f.dir, fileName(o.Lease.ID))
	if err := replaceFile(ctx, f.disk, path, encodeCheckpoint(o.Lease.ID, p)); err != nil {
		return fmt.Errorf("save the checkpoint of shard %s: %w", o.Lease.ID, err)
	}
	return nil
}

// FencesCommits returns true: all who may save to the directory share this store.
func (f *FileCheckpoints) FencesCommits() bool { return true }

// Close waits for the calls that have reached the disk, refuses all others, and
// releases the directory. A further Close returns an error that matches
// os.ErrClosed, at once.
func (f *FileCheckpoints) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return f.errClosed()
	}
	f.closed = true
	close(f.closing)
	f.mu.Unlock()
	f.calls.Wait()
	if err := f.lock.Close(); err != nil {
		return fmt.Errorf("release checkpoint directory %q: %w", f.dir, err)
	}
	return nil
}

// enter waits for the shard's turn. If it returns no error, leave must follow.
func (f *FileCheckpoints) enter(ctx context.Context, id shardset.ID, create bool) (*fileShard, error) {
	if err := id.Validate(); err != nil {
		return nil, err // it would not make a safe file name
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, f.errClosed()
	}
	s := f.shards[id]
	if s == nil {
		s = &fileShard{slot: make(chan struct{}, 1)}
		if create { // a Save without a Load has no claim, and its entry no use
			f.shards[id] = s
		}
	}
	f.calls.Add(1)
	f.mu.Unlock()

	select {
	case s.slot <- struct{}{}:
		if ctx.Err() == nil {
			return s, nil
		}
		<-s.slot // select takes either when both are ready
	case <-ctx.Done():
	case <-f.closing:
		f.calls.Done()
		return nil, f.errClosed()
	}
	f.calls.Done()
	return nil, fmt.Errorf("wait for the checkpoint of shard %s: %w", id, context.Cause(ctx))
}

func (f *FileCheckpoints) leave(s *fileShard) {
	<-s.slot
	f.calls.Done()
}

// check returns an error if the directory is not the one that was locked: removed,
// replaced, covered by a mount. Somebody else may have locked the other.
func (f *FileCheckpoints) check() error {
	now, err := os.Stat(filepath.Join(f.dir, lockName))
	if err != nil {
		return fmt.Errorf("checkpoint directory %q has lost its lock file, or is gone itself: %w", f.dir, err)
	}
	if !os.SameFile(now, f.held) {
		return fmt.Errorf("checkpoint directory %q was replaced while it was open", f.dir)
	}
	return nil
}

func (f *FileCheckpoints) errClosed() error {
	return fmt.Errorf("checkpoint directory %q: %w", f.dir, os.ErrClosed)
}
