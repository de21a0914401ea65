package main

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// feed is the batch.Source of a worker: the lines of each span, when they are due.
type feed struct {
	spans map[shardset.ID]*span
	due   func(*span, place) time.Time // when the line at a place is to be read
	alive *sync.RWMutex                // the worker's: a killed worker reads nothing
}

// Open implements batch.Source. Without a checkpoint, reading begins at the first line.
// It ends after the last line. Open ignores start.Initial and the ends in start,
// because this program does not set them.
func (f *feed) Open(_ context.Context, id shardset.ID, start batch.Start) (batch.Reader[line], error) {
	s := f.spans[id]
	from, err := s.resume(start.Position)
	if err != nil {
		return nil, processor.Fatal(err) // trying again would not help
	}
	return &feedReader{feed: f, lineReader: s.read(from)}, nil
}

// feedReader is the batch.Reader of one span.
type feedReader struct {
	feed *feed
	*lineReader
}

// Position implements batch.Reader.
func (r *feedReader) Position() processor.Position { return r.at.position() }

// Close implements batch.Reader. The files stay open for the other spans.
func (r *feedReader) Close() error { return nil }

// The memory of one line, in bytes: a fixed amount, and its text, which is never longer
// than a chunk.
const (
	lineFixed = 64
	lineMost  = lineFixed + chunk
)

// Read implements batch.Reader. The lines' texts are copies, so there is nothing to
// release.
func (r *feedReader) Read(_ context.Context, l batch.Limit) (c batch.Chunk[line], err error) {
	r.feed.alive.RLock()
	defer r.feed.alive.RUnlock()
	now := time.Now()
	fits := func() bool {
		return len(c.Items) == 0 || len(c.Items) < l.Items && c.Bytes+lineMost <= l.Bytes
	}
	for fits() && !r.atEnd() && !r.due().After(now) {
		line, err := r.next()
		if err != nil {
			return c, processor.Fatal(err) // reading again would not help
		}
		c.Items = append(c.Items, line)
		c.Bytes += lineFixed + int64(len(line.text))
	}
	c.Next = r.Position()
	items := c.Items
	c.After = func(i int) processor.Position { return items[i].next.position() }
	if r.atEnd() {
		c.End = batch.EndClosed
		return c, nil
	}
	wait := r.due().Sub(now)
	c.More, c.Pause, c.Lag = wait <= 0, max(0, wait), max(0, -wait)
	return c, nil
}

// due returns when the next line is to be read.
func (r *feedReader) due() time.Time { return r.feed.due(r.span, r.at) }
