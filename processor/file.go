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

// ErrDirInUse: another store has the directory open, in this process or in another.
var ErrDirInUse = errors.New("in use by another open store")

const (
	// lockName is the file that an open store keeps locked. It is never removed: otherwise
	// one process could lock the removed file, and another process a new file of this name.
	lockName = "lock"

	// tempSuffix ends the name of a file that is being written. The name of a checkpoint
	// file ends in a digit, so the two cannot be confused.
	tempSuffix = ".tmp"
)

// FileCheckpoints stores positions in a directory on a local disk, one small file per shard.
// It is for workers of one process, which find their positions again after a restart. Only one
// store at a time can have the directory open.
//
// The store accepts the saves of a shard only from the owner that loaded the shard last. It keeps
// these owners in memory only, so after a restart each shard must be loaded before a save.
//
// It is safe for concurrent use. Calls for one shard wait for each other. Calls for different
// shards run in parallel. The end of the context ends the wait, but does not interrupt a disk
// operation that has begun.
type FileCheckpoints struct {
	dir  string // absolute
	lock *os.File
	info fs.FileInfo // of lock
	disk disk        // replaced by tests, before the first call

	closing chan struct{}  // closed by Close
	calls   sync.WaitGroup // Load and Save in flight; grows only under mu

	mu     sync.Mutex // guards the fields below; never held across I/O
	closed bool
	shards map[shardset.ID]*fileShard
}

type fileShard struct {
	slot  chan struct{} // full while a call is in flight
	claim claim         // guarded by slot
}

// OpenFileCheckpoints opens dir and locks it until Close or until the process ends for any
// reason. It creates dir and its parents with mode 0700 if they are missing, and removes files
// that a killed process left half written. It does not read the checkpoints: if one is damaged,
// only Load of its shard fails.
//
// The error matches ErrDirInUse if another store has dir open. On systems other than Linux,
// macOS, the BSDs, illumos and Windows it matches errors.ErrUnsupported, because the store
// cannot lock dir there. Otherwise it wraps the error of the operating system.
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
	if f.info, err = f.lock.Stat(); err != nil {
		return err
	}
	if err := removeLeftovers(f.dir); err != nil {
		return err
	}
	// A file system that cannot sync a directory fails here, not at the first Save.
	return f.disk.syncDir(f.dir)
}

// Load returns the shard's position and claims the shard for o. It returns false only if the
// shard has no file.
//
// The error matches ErrNotOwner if the shard was claimed under a later epoch, and os.ErrClosed
// after Close. It is marked with Halt if the file is damaged: the text names the file and says
// what to do. Otherwise it wraps the cause of ctx or the error of the operating system. After
// an error the shard is not claimed.
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
	// If the directory was removed, no shard has a file. Without this check, each shard would
	// start as if nothing was ever committed.
	if err := f.check(); err != nil {
		return "", false, err
	}
	p, found, err := readCheckpoint(filepath.Join(f.dir, fileName(o.Lease.ID)), o.Lease.ID)
	if corrupt := new(*corruptError); errors.As(err, corrupt) {
		return "", false, Halt(err) // a retry cannot fix it
	}
	if err != nil {
		return "", false, err
	}
	s.claim = next
	return p, found, nil
}

// Save stores the position if o was the last owner to load the shard. p has 1 to 65,536 bytes,
// of any value. When Save returns nil, p survives a kill and, if the disk honours fsync, a power
// cut. Windows cannot sync a directory: there a power cut may restore the previous position.
// After an interrupted Save, the next Load returns p or the previous position.
//
// The error matches ErrEmptyPosition if p is empty, ErrNotOwner if o was not the last owner to
// load the shard, and os.ErrClosed after Close. Otherwise it wraps the cause of ctx or the
// error of the operating system, such as syscall.ENOSPC: then p may be stored although Save
// failed. After all other errors p is not stored.
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

// FencesCommits returns true: all members that use the directory share this store, and it
// fences them.
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

// enter waits for other calls for the shard. If it returns no error, the caller must call leave.
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

// check returns an error if the path no longer leads to the locked directory, because it was
// removed, replaced, or covered by a mount. Another process may use the new directory.
func (f *FileCheckpoints) check() error {
	now, err := os.Stat(filepath.Join(f.dir, lockName))
	if err != nil {
		return fmt.Errorf("checkpoint directory %q has lost its lock file, or is gone itself: %w", f.dir, err)
	}
	if !os.SameFile(now, f.info) {
		return fmt.Errorf("checkpoint directory %q was replaced while it was open", f.dir)
	}
	return nil
}

func (f *FileCheckpoints) errClosed() error {
	return fmt.Errorf("checkpoint directory %q: %w", f.dir, os.ErrClosed)
}
