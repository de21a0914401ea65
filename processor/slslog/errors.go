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

// TooLargeError says that the smallest page at a cursor is larger than Options.MaxRaw. It halts the
// shard.
type TooLargeError struct {
	Shard  int
	Cursor string // where the page begins
	Groups int    // log groups in the page; one, unless the service sent more than requested
	Size   int    // of the decompressed page, in bytes
	Max    int    // the bound, in bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("slslog: the smallest page of shard %d at %q has %d decompressed bytes, the limit is %d: "+
		"raise slslog.Options.MaxRaw (up to %d, the most that the client reads), or skip the page by committing a position after it",
		e.Shard, e.Cursor, e.Size, e.Max, defaultMaxRaw)
}

// batchError makes an error of the client match the errors of package batch.
func batchError(err error) error {
	var refused *sls.Error
	var usage *sls.UsageError
	switch {
	case errors.Is(err, sls.ErrThrottled):
		return fmt.Errorf("%w: %w", batch.ErrThrottled, err)
	case errors.Is(err, sls.ErrInvalidCursor):
		return fmt.Errorf("%w: %w", batch.ErrExpired, err)
	case errors.Is(err, sls.ErrShardNotFound):
		// All data of the shard has expired. Nothing shows whether all of it was read.
		return fmt.Errorf("%w: %w", batch.ErrGone, err)
	case errors.As(err, &usage):
		return processor.Halt(err)
	case errors.As(err, &refused) && refused.HTTPStatus == http.StatusBadRequest && badParameter(refused.Code):
		return processor.Halt(err)
	}
	return err
}

// badParameter reports whether a code means that the request itself is wrong, for instance because of
// an invalid query. Any other refusal may have a cause that somebody mends while the worker runs, so
// the request is repeated.
func badParameter(code string) bool {
	return strings.EqualFold(code, "ParameterInvalid") || strings.EqualFold(code, "InvalidParameter")
}
