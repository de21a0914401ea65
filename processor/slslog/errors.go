package slslog

import "fmt"

// TooLargeError is a log group that is larger than a page may be. It halts its shard: see
// Options.MaxRaw.
type TooLargeError struct {
	Shard  int
	Cursor string // where the page begins
	Groups int    // log groups in the page; one, unless the service sent more than were asked for
	Size   int    // its bytes, decompressed
	Max    int    // the bound
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("slslog: the smallest page of shard %d at %q has %d bytes, decompressed, over the bound of %d: "+
		"raise slslog.Options.MaxRaw (%d is the most that the client reads), or commit a position behind it to leave it out",
		e.Shard, e.Cursor, e.Size, e.Max, defaultMaxRaw)
}
