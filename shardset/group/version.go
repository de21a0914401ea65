package group

import (
	"fmt"

	"github.com/rollcall-go/rollcall/shardset"
)

// Version is one version of a document, read and checked. To read a large one takes a
// while, so who guards a Replica by a lock does that before it takes the lock. It is not
// changed any more.
type Version struct {
	doc    *table // nil: the group is deleted
	epoch  uint64 // of a deleted group
	grants [][]shardset.Grant
}

// ReadVersion reads a document as DecodeDocument does, but makes no Group of it.
func ReadVersion(data []byte) (*Version, error) {
	read := readVersion
	if deleted(data) {
		read = readDeleted
	}
	v, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return v, nil
}

func readVersion(data []byte) (*Version, error) {
	t, err := parse(data)
	if err != nil {
		return nil, err
	}
	v := &Version{doc: t}
	v.grants, t.owned = t.shares()
	return v, nil
}
