//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package processor

import (
	"errors"
	"os"
)

// lockFile fails: without a lock, two processes could use one directory and overwrite each
// other's positions.
func lockFile(path string) (*os.File, error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
