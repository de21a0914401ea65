package state

import (
	"fmt"

	"github.com/rollcall-go/rollcall/shardset"
)

// Version is one version of a document, decoded and checked. It is immutable. Decoding a large one
// takes a while, so a caller should not hold a lock meanwhile.
type Version struct {
	doc    *table
	grants [][]shardset.Grant
}

// ReadVersion decodes a document for a Replica. It also decodes a newer format that this version of the
// package must not write: see Replica.Writable.
func ReadVersion(data []byte) (*Version, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	v := &Version{doc: t}
	v.grants, t.owned = t.grantsByMember()
	for _, former := range t.Former {
		if !former {
			t.members++
		}
	}
	return v, nil
}
