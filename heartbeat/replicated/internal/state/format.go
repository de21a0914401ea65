package state

import "github.com/rollcall-go/rollcall/shardset/group"

// Documents and records begin with two numbers: the format of their writer, and the least format that
// a reader must know. A reader that knows the least one reads a newer format, too. It ignores flags
// that it does not know, and what follows the part that it knows. It must not write such a document,
// because it would erase these.
//
// The format of a document is the newest one that all members know, as their records say. So a
// process of a newer version joins a running group, which keeps the old format until the last member
// of an older version has left. The format never goes back.

// newest is the newest format that this version knows. Only tests change it.
var newest byte = 1

// leastReader is the least format that a reader of what this version writes must know. Only tests
// change it.
var leastReader byte = 1

// ErrNewer is matched by the error for a document or record of a newer version of this package, which
// this version cannot read or must not write. To try again does not help.
var ErrNewer error = newerError{}

type newerError struct{}

func (newerError) Error() string {
	return "a newer version of this program keeps the group: update this one"
}

// Retryable returns false: the worker ends.
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

// flags reads flags, and returns those in known.
func (r *reader) flags(known byte, newer bool) byte {
	f := r.byte()
	if f&^known != 0 && !newer {
		r.fail("the flags are %#x", f)
	}
	return f & known
}

// raiseFormat changes to the newest format that this version and all members know.
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

// DeletedDocument returns the document of a deleted group, to be written over data by force. If data
// can be read, even of a newer version, it keeps which members may still work. If not, the deleted
// group is an empty one of this Config.
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
