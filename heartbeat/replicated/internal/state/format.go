package state

import "github.com/rollcall-go/rollcall/shardset/group"

// Documents and records begin with two numbers: the format of whoever wrote them, and the
// least format that their reader has to know. A reader that knows it reads on where the
// format is newer than its own, and passes over what it does not know: flags, and what comes
// after the part that it knows. It must not write such a document, because it would erase
// that.
//
// The format of a document is the newest one that all members know, as their records say. So
// a process of a newer version joins a running group, which goes on in the old format until
// the last member of an older version has left. It never goes back.

// newest is the newest format that this version knows. Only tests change it.
var newest byte = 1

// leastReader is the least format that a reader has to know of what this version writes. Only
// tests change it.
var leastReader byte = 1

// ErrNewer is matched by the error of whoever meets a document or a record of a newer version
// of this package that it cannot read, or must not write. No repetition mends it.
var ErrNewer error = newerError{}

type newerError struct{}

func (newerError) Error() string {
	return "a newer version of this program keeps the group: update this one"
}

// Retryable returns false: it ends the worker.
func (newerError) Retryable() bool { return false }

// header reads the two numbers, and reports whether what follows is of a newer format than
// this version knows.
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

// flags reads flags of which known are those that this version knows.
func (r *reader) flags(known byte, newer bool) byte {
	f := r.byte()
	if f&^known != 0 && !newer {
		r.fail("the flags are %#x", f)
	}
	return f & known
}

// stepUp has the draft use the newest format that this version and all members know.
func (d *draft) stepUp() {
	if d.format >= newest {
		return
	}
	format := newest
	for name := range d.group.Members {
		format = min(format, d.versions[name])
	}
	d.format = max(d.format, format)
}

// Writable returns an error that matches ErrNewer if the newest document is of a newer
// version, so that this one must not write it.
func (r *Replica) Writable() error {
	if r.doc != nil && r.doc.format > newest {
		return ErrNewer
	}
	return nil
}

// DeletedDocument returns the document of a deleted group, to be put in the place of data by
// force. It keeps what data says of members that may be at work, if data can be read, even of a
// newer version. If not, the deleted group is an empty one of this Config.
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
