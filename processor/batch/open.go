package batch

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
)

// open makes the reader, after the last one was closed. Behind a gap it begins where
// the options say, and has that told.
func (l *loop[T]) open(f *readResult[T]) error {
	r := &l.reading
	if last := r.reader; last != nil {
		r.reader = nil // first: Close is not called again, even if it does not come back
		l.closeReader(last)
	}
	gap := r.gap || r.lostErr != nil
	start := Start{
		Position: r.next, Initial: l.initial(gap), Gap: gap, Checkpoints: l.s.ListCheckpoints,
		Until: l.o.Until, Logger: l.s.Logger(),
	}
	if r.lostErr != nil {
		start.Position = ""
	}
	if l.o.UntilPosition != nil {
		if err := l.contain(f.ctx, "UntilPosition", func() error {
			start.UntilPosition = l.o.UntilPosition(l.s.ID())
			return nil
		}); err != nil {
			return err
		}
	}
	share, err := l.o.Budget.acquire(f.ctx, 0, f.class)
	if err != nil {
		return err
	}
	defer share.releaseAll()
	err = l.contain(f.ctx, "Source.Open", func() error {
		reader, err := l.src.Open(f.ctx, l.s.ID(), start)
		if err != nil {
			return err
		}
		r.reader = reader // from here on it is to be closed
		f.start = reader.Position()
		return nil
	})
	if err != nil {
		return fmt.Errorf("open shard %s: %w", l.s.ID(), err)
	}
	share.releaseAll()
	if r.lostErr != nil {
		if err := l.reportGap(f.ctx, processor.Gap{Lost: r.next, Resumed: f.start, Err: r.lostErr}); err != nil {
			return err
		}
	}
	f.opened = true
	return nil
}

// initial returns where to begin without a position.
func (l *loop[T]) initial(gap bool) Initial {
	if gap {
		return l.o.Expired
	}
	return l.o.Initial
}

// gap has a gap told, before anything behind it is read.
func (l *loop[T]) reportGap(ctx context.Context, g processor.Gap) error {
	if l.o.OnGap != nil {
		err := l.contain(ctx, "OnGap", func() error { return l.o.OnGap(ctx, l.s.ID(), g) })
		if err != nil {
			return fmt.Errorf("tell the gap in shard %s: %w", l.s.ID(), err)
		}
	}
	l.s.ReportGap(g)
	return nil
}

// onOpened notes where a reader that was just opened stands. A place that the next owner
// would not find again is committed.
func (l *loop[T]) onOpened(start processor.Position) {
	r := &l.reading
	keep := r.lostErr != nil || r.next == "" && l.initial(r.gap) != Earliest()
	if r.lostErr != nil {
		r.gap = true
		l.clearLoss()
	}
	if r.lostErr != nil || r.next == "" {
		r.next, l.progress.Reading = start, start
	}
	if keep && start != "" {
		l.window.push(newAcks(start, nil, 0))
		l.commits.atOnce = true
	}
	r.lostErr, r.reopen, r.atEnd = nil, false, false
}

func (l *loop[T]) closeReader(r Reader[T]) {
	if err := l.contain(l.ctx, "Reader.Close", r.Close); err != nil {
		l.log().Warn("closing the reader failed", zap.Error(err))
	}
}
