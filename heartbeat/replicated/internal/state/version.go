package state

import (
	"fmt"

	"github.com/rollcall-go/rollcall/shardset"
)

// Version is one version of a document, read and checked. It does not change. To read a large one
// takes a while, so a caller with a lock reads it before it takes the lock.
type Version struct {
	doc    *table
	grants [][]shardset.Grant
}

// ReadVersion reads a document that is not to be changed. It also reads one of a newer format that this
// version of the package must not write: see Replica.Writable.
func ReadVersion(data []byte) (*Version, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	v := &Version{doc: t}
	v.grants, t.owned = t.grantsByMember()
	return v, nil
}
