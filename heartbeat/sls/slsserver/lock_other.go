//go:build !unix

package slsserver

import "os"

// lockFile opens the file only: here nothing keeps a second server out.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
}
