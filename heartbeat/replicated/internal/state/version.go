package state

import (
	"fmt"

	"github.com/rollcall-go/rollcall/shardset"
)

// Version is one version of a document, read and checked. To read a large one takes a
// while, so who guards a Replica by a lock does that before it takes the lock. It is not
// changed any more.
type Version struct {
	doc    *table
	grants [][]shardset.Grant
}

// ReadVersion reads a document, but makes no Group of it. It also reads one of a newer format
// that this version of the package may look at and must not write: see Replica.Writable.
func ReadVersion(data []byte) (*Version, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	v := &Version{doc: t}
	v.grants, t.owned = t.shares()
	return v, nil
}
