//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir takes the folder for this server, because two in one folder ruin each other's
// files. The lock ends with the file, and so with the process at the latest.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "rollcall.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("dir %s is another server's: %w", dir, err)
	}
	return f, nil
}
