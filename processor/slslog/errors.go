package slslog

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TooLargeError says that a log group is larger than a page may be. It halts its shard: see
// Options.MaxRaw.
type TooLargeError struct {
	Shard  int
	Cursor string // where the page begins
	Groups int    // log groups in the page; one, unless the service sent more than requested
	Size   int    // of the page in bytes, decompressed
	Max    int    // the bound
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("slslog: the smallest page of shard %d at %q has %d bytes, decompressed, over the bound of %d: "+
		"raise slslog.Options.MaxRaw (%d is the most that the client reads), or commit a position after it to leave it out",
		e.Shard, e.Cursor, e.Size, e.Max, defaultMaxRaw)
}

// batchError translates an error of the client into one that package batch knows.
func batchError(err error) error {
	var refused *sls.Error
	var usage *sls.UsageError
	switch {
	case errors.Is(err, sls.ErrThrottled):
		return fmt.Errorf("%w: %w", batch.ErrThrottled, err)
	case errors.Is(err, sls.ErrInvalidCursor):
		return fmt.Errorf("%w: %w", batch.ErrExpired, err)
	case errors.Is(err, sls.ErrShardNotFound):
		// All its data has expired. Whether all of it was read cannot be known any more.
		return fmt.Errorf("%w: %w", batch.ErrGone, err)
	case errors.As(err, &usage):
		return processor.Halt(err)
	case errors.As(err, &refused) && refused.HTTPStatus == http.StatusBadRequest && badParameter(refused.Code):
		return processor.Halt(err)
	}
	return err
}

// badParameter reports whether a code says that the request itself is wrong: a query that is not
// valid, for instance. The cause of any other refusal may pass while the worker runs, so it is
// tried again.
func badParameter(code string) bool {
	return strings.EqualFold(code, "ParameterInvalid") || strings.EqualFold(code, "InvalidParameter")
}
