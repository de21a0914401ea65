//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package embedded

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir makes the folder's lock file. On this system nothing keeps a second server
// out: that one folder has one server is the operator's affair.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "rollcall.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	return f, nil
}
