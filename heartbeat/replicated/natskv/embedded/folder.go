package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rollcall-go/rollcall/processor"
)

// lockDir locks the folder until the lock is closed or the process ends: two servers in one
// folder damage each other's files. It uses the lock of processor.FileCheckpoints, and stores
// no checkpoints.
func lockDir(dir string) (io.Closer, error) {
	lock, err := processor.OpenFileCheckpoints(filepath.Join(dir, "rollcall"))
	switch {
	case errors.Is(err, processor.ErrDirInUse):
		return nil, fmt.Errorf("dir %s is in use by another server", dir)
	case err != nil:
		return nil, fmt.Errorf("dir: %w", err)
	}
	return lock, nil
}

// checkFolder refuses a folder of the wrong kind: that of a server that ran alone if cluster
// is set, and that of a cluster member otherwise. A cluster would remove the streams of the
// server that ran alone. A server that runs alone would not know which streams of a member
// are current.
func checkFolder(dir string, cluster bool) error {
	root := os.DirFS(dir) // dir may contain the characters of a pattern
	streams, err := fs.Glob(root, "jetstream/*/streams/*")
	if err != nil {
		return err
	}
	meta, err := fs.Glob(root, "jetstream/*/_js_/_meta_")
	if err != nil {
		return err
	}
	member := len(meta) > 0
	switch {
	case cluster && !member && len(streams) > 0:
		return fmt.Errorf("dir %s has the streams of a server that ran alone; the cluster would remove them: "+
			"use an empty folder, and see the package documentation on how to move the group", dir)
	case !cluster && member:
		return fmt.Errorf("dir %s belongs to a cluster member; set Cluster, or use another folder",
			dir)
	}
	return nil
}
