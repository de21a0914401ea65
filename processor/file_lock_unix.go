//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package processor

import (
	"errors"
	"os"
	"syscall"
)

// lockFile opens the file, creates it if needed, and locks it until it is closed or the process
// ends. The error matches ErrDirInUse if the file is already locked. That also detects a second
// store in this process: the lock belongs to the open file, not to the process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrDirInUse
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}
