package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errLocked: another process has the lock.
var errLocked = errors.New("a worker of this name runs on this host already, and two would do all work twice; " +
	"give this one another name with -member-suffix")

// lock takes the member's name for this process, on this host: the service knows members by
// their names only, so two workers of one name would both read all their shards, and neither
// would hear of the other. The system frees the name when the process ends, however it does.
func (o *options) lock() (unlock func(), err error) {
	dir, err := lockDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, o.lockName())
	f, err := lockFile(path)
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("member %q of group %s/%s: %w", o.member, o.logstore, o.group, err)
	case err != nil:
		return nil, err
	}
	return func() {
		_ = os.Remove(path) // where the system lets a locked file go; otherwise it stays, and does no harm
		_ = f.Close()
	}, nil
}

// lockDir makes the user's directory for locks, or the one for temporary files where the
// user has none.
func lockDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "slsworker")
	return dir, os.MkdirAll(dir, 0o700)
}

// lockName names the member, of this group and service, with characters for files.
func (o *options) lockName() string {
	_, host, found := strings.Cut(o.endpoint, "://")
	if !found {
		host = o.endpoint
	}
	host = strings.ToLower(strings.TrimSuffix(host, "/"))
	return fmt.Sprintf("%x.lock", sha256.Sum256(fmt.Appendf(nil, "%q", []string{host, o.project, o.logstore, o.group, o.member})))
}
