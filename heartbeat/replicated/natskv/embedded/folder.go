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

// lockDir locks the folder for this server until the lock is closed or the process ends:
// two servers in one folder ruin each other's files. A directory of checkpoints has one
// owner, so an empty one is the lock.
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

// suits refuses a folder of the other kind: a cluster would remove the streams of a
// server that ran alone, and a server alone would not know which of a member's streams
// are current.
func suits(dir string, cluster bool) error {
	root := os.DirFS(dir) // so that dir is a name, and no pattern, whatever is in it
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
		return fmt.Errorf("dir %s holds the streams of a server that ran alone, which the cluster would remove: "+
			"give the cluster an empty folder, and see the package's documentation on how to move the group", dir)
	case !cluster && member:
		return fmt.Errorf("dir %s belongs to a member of a cluster; without the field Cluster the server would run alone",
			dir)
	}
	return nil
}
