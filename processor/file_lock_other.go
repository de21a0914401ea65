//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package processor

import (
	"errors"
	"os"
)

// lockFile refuses: a directory that two processes could have at once would let one
// of them write over the positions of the other.
func lockFile(path string) (*os.File, error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
