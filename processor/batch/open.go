package batch

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
)

// open closes the last reader and opens a new one. After an expired position, the new one begins at
// Options.Expired, and the gap is reported.
func (l *loop[T]) open(res *readResult[T]) error {
	r := &l.reading
	if last := r.reader; last != nil {
		r.reader = nil // first: if Close ends the goroutine, it must not be called again
		l.closeReader(last)
	}
	start, err := l.startOf(res.ctx)
	if err != nil {
		return err
	}
	share, err := l.o.Budget.acquire(res.ctx, 0, res.class)
	if err != nil {
		return err
	}
	defer share.release()
	err = l.call(res.ctx, "Source.Open", func() error {
		reader, err := l.src.Open(res.ctx, l.s.ID(), start)
		if err != nil {
			return err
		}
		r.reader = reader // at once, so that close closes it even if Position panics
		res.start = reader.Position()
		return nil
	})
	if err != nil {
		return fmt.Errorf("open shard %s: %w", l.s.ID(), err)
	}
	share.release()
	if r.gapErr != nil {
		if err := l.reportGap(res.ctx, processor.Gap{Lost: r.next, Resumed: res.start, Err: r.gapErr}); err != nil {
			return err
		}
	}
	res.opened = true
	return nil
}

// startOf returns where the next reader begins and ends.
func (l *loop[T]) startOf(ctx context.Context) (Start, error) {
	r := &l.reading
	gap := r.afterGap || r.gapErr != nil
	start := Start{
		Position: r.next, Initial: l.initial(gap), Gap: gap, Checkpoints: l.s.ListCheckpoints,
		Until: l.o.Until, Logger: l.s.Logger(),
	}
	if r.gapErr != nil {
		start.Position = ""
	}
	if l.o.UntilPosition == nil {
		return start, nil
	}
	err := l.call(ctx, "UntilPosition", func() error {
		start.UntilPosition = l.o.UntilPosition(l.s.ID())
		return nil
	})
	return start, err
}

// initial returns where a reader without a position begins.
func (l *loop[T]) initial(gap bool) Initial {
	if gap {
		return l.o.Expired
	}
	return l.o.Initial
}

// reportGap calls OnGap and reports the gap. Nothing after the gap is read before that.
func (l *loop[T]) reportGap(ctx context.Context, g processor.Gap) error {
	if l.o.OnGap != nil {
		err := l.call(ctx, "OnGap", func() error { return l.o.OnGap(ctx, l.s.ID(), g) })
		if err != nil {
			return fmt.Errorf("report the gap in shard %s: %w", l.s.ID(), err)
		}
	}
	l.s.ReportGap(g)
	return nil
}

// onOpened notes the position of a reader that was just opened. The position is committed at once if
// a restart could not find it again.
func (l *loop[T]) onOpened(start processor.Position) {
	r := &l.reading
	commitStart := r.gapErr != nil || r.next == "" && l.initial(r.afterGap) != Earliest()
	if r.gapErr != nil {
		r.afterGap = true
		l.clearGap()
	}
	if r.gapErr != nil || r.next == "" {
		r.next, l.progress.Reading = start, start
	}
	if commitStart && start != "" {
		l.window.push(newAcks(start, nil, 0))
		l.commits.atOnce = true
	}
	r.gapErr, r.reopen, r.atEnd = nil, false, false
}

func (l *loop[T]) closeReader(r Reader[T]) {
	if err := l.call(l.ctx, "Reader.Close", r.Close); err != nil {
		l.log().Warn("closing the reader failed", zap.Error(err))
	}
}
