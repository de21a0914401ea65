package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-go/rollcall/processor"
)

// errLocked: another process has the lock.
var errLocked = errors.New("a worker of this name runs on this host already, and two would do all work twice; " +
	"give this one another name with -member-suffix")

// lock takes the member's name for this process, on this host: the service knows members by
// their names only, so two workers of one name would both read all their shards, and neither
// would hear of the other. The system frees the name when the process ends, however it does.
//
// A directory of checkpoints belongs to one process, so an empty one is the lock. It stays:
// if one process removed it while another one opens it, two would have the name.
func (o *options) lock() (unlock func(), err error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	held, err := processor.OpenFileCheckpoints(filepath.Join(dir, "slsworker", o.lockName()))
	switch {
	case errors.Is(err, processor.ErrDirInUse):
		return nil, fmt.Errorf("member %q of group %s/%s: %w", o.member, o.logstore, o.group, errLocked)
	case err != nil:
		return nil, err
	}
	return func() { _ = held.Close() }, nil
}

// lockName names the member, of this group and service, with characters for files.
func (o *options) lockName() string {
	_, host, found := strings.Cut(o.endpoint, "://")
	if !found {
		host = o.endpoint
	}
	host = strings.ToLower(strings.TrimSuffix(host, "/"))
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", []string{host, o.project, o.logstore, o.group, o.member})))
}
