package state

import "github.com/rollcall-go/rollcall/shardset/group"

// Documents and records begin with two numbers: their format, and the least format that a reader must
// know. A reader that knows that least format can also read a newer one. It ignores flags that it does
// not know, and bytes behind the part that it knows. It must not write such a document, because it
// would erase these flags and bytes.
//
// A document has the newest format that all members know. The records show which formats the members
// know. So processes of a newer version can join a running group: the document keeps the old format
// until the last member of an older version has left. The format never goes back.

// newest is the newest format that this version knows. Only tests change it.
var newest byte = 1

// leastReader is the least format that a reader must know to read what this version writes. Only tests
// change it.
var leastReader byte = 1

// ErrNewer reports a document or record that a newer version of this package has written, and that
// this version cannot read or must not write. It is permanent: a retry does not help.
var ErrNewer error = newerError{}

type newerError struct{}

func (newerError) Error() string {
	return "a newer version of this program keeps the group: update this one"
}

// Retryable returns false, so the worker stops.
func (newerError) Retryable() bool { return false }

// header reads the two numbers, and reports whether the format is newer than this version knows.
func (r *reader) header() (format byte, newer bool, err error) {
	format, least := r.byte(), r.byte()
	switch {
	case r.err != nil:
	case format == 0 || least == 0 || least > format:
		r.fail("the format is %d, for readers of %d", format, least)
	case least > newest:
		return format, true, ErrNewer
	}
	return format, format > newest, r.err
}

// flags reads flags, and returns those in known. In a format that is not newer, any other flag is a
// fault.
func (r *reader) flags(known byte, newer bool) byte {
	f := r.byte()
	if f&^known != 0 && !newer {
		r.fail("the flags are %#x", f)
	}
	return f & known
}

// raiseFormat changes the draft to the newest format that this version and all members know.
func (d *draft) raiseFormat() {
	if d.format >= newest {
		return
	}
	format := newest
	for name := range d.group.Members {
		format = min(format, d.versions[name])
	}
	d.format = max(d.format, format)
}

// Writable returns an error that matches ErrNewer if this version must not write the newest document.
func (r *Replica) Writable() error {
	if r.doc != nil && r.doc.format > newest {
		return ErrNewer
	}
	return nil
}

// DeletedDocument returns the document of a deleted group. It replaces data, which may be damaged or of
// a newer version. If data can be read, the document keeps the members, because they may still work.
// Otherwise the deleted group is empty and has this Config.
func DeletedDocument(data []byte, cfg group.Config) ([]byte, error) {
	t, err := parse(data)
	if err != nil {
		g, err := group.New(cfg)
		if err != nil {
			return nil, err
		}
		return (&Document{Group: g, Deleted: true, Born: cfg.FirstEpoch}).Encode(), nil
	}
	t.deleted, t.format = true, min(t.format, newest)
	return t.encode(), nil
}
