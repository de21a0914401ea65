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

// ErrDirInUse: another open store, of this process or another, uses the directory.
var ErrDirInUse = errors.New("in use by another open store")

const (
	// lockName is the file that an open store holds locked. It is never removed: two
	// processes could otherwise each lock a file of that name.
	lockName = "lock"

	// tempSuffix ends the name of a file that is being written. The name of a checkpoint
	// ends in a digit.
	tempSuffix = ".tmp"
)

// FileCheckpoints keeps positions in a directory on a local disk, one small file per shard.
// It is for the workers of one process: they find their positions again after a restart.
// One open store at a time may use the directory. The store remembers in memory which owner
// loaded a shard last, and refuses the saves of earlier owners. Opening it forgets them.
//
// It is safe for concurrent use. Calls for one shard wait for each other, calls for
// different shards do not. The context ends the wait, but not a disk operation that has
// begun.
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

// OpenFileCheckpoints opens a directory of checkpoints. If the directory is missing, it is
// created with mode 0700, and its parents too. Files that a killed process left half written
// are removed. The checkpoints are not read: only Load reports a damaged one, and only for
// its shard.
//
// The directory stays locked until Close or the end of the process, also by a kill. The
// error matches ErrDirInUse if another open store uses the directory, and
// errors.ErrUnsupported on systems without a file lock, which are neither Unix nor Windows;
// otherwise it wraps the error of the operating system.
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
	// A file system that cannot sync a directory fails here, not at the first Save.
	return f.disk.syncDir(f.dir)
}

// Load returns the shard's position and claims the shard for o. It returns false only if the
// shard has no file. The error matches ErrNotOwner if the shard was claimed under a later
// epoch, and os.ErrClosed after Close. It is made with Halt if the file is damaged: its text
// names the file and says what to do. Otherwise it is the cause of ctx, or wraps the error
// of the operating system. After an error nothing is claimed.
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
	// A directory that is gone has no file either. That is not the same as a shard of which
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

// Save stores the position if o has the newest claim. When it returns nil, the position
// survives a kill and, if the disk honours fsync, a power cut. On Windows, which cannot sync
// a directory, a power cut may bring back the position before it. After an interrupted Save
// the next Load finds this position or the one before.
//
// A position is 1 to 65,536 bytes of any kind. The error matches ErrEmptyPosition for the
// empty one, ErrNotOwner if o is not the owner, and os.ErrClosed after Close; otherwise it
// is the cause of ctx, or wraps the error of the operating system, such as syscall.ENOSPC.
// Only after an error of the operating system may the position be stored all the same.
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

// FencesCommits returns true: all members that use the directory share this store.
func (f *FileCheckpoints) FencesCommits() bool { return true }

// Close waits for the calls that have reached the disk, refuses all others, and unlocks the
// directory. A further Close returns at once with an error that matches os.ErrClosed.
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
		if create { // a Save without a Load has no claim: it needs no entry
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

// check returns an error if the directory is not the one that was locked: it was removed,
// replaced, or covered by a mount. Another process may use the new one.
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
