package coordinator

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/processor"
)

const (
	// foldAfter lines of one level and message are written in each foldWindow; the
	// others are counted, and one line tells of them.
	foldAfter  = 5
	foldWindow = 10 * time.Second
	// foldNames is how many shards that line names.
	foldNames = 100
)

// folder decides which lines are written: an outage of a sink with a thousand shards is
// five lines and a summary, not a thousand lines. It is pure; the goroutine that writes
// the lines owns it.
type folder struct {
	windows []*foldedLines // in the order of their begin
}

// foldedLines is what is known of one message since the first line of its window.
type foldedLines struct {
	level   zapcore.Level
	message string
	begin   time.Time
	lines   int
	shards  []string // of the lines that were not written, each once, up to foldNames
	err     error    // of the last one
}

// add counts a line and reports whether to write it.
func (f *folder) add(e zapcore.Entry, shard string, fields []zapcore.Field) bool {
	i := slices.IndexFunc(f.windows, func(w *foldedLines) bool { return w.level == e.Level && w.message == e.Message })
	if i < 0 {
		i = len(f.windows)
		f.windows = append(f.windows, &foldedLines{level: e.Level, message: e.Message, begin: e.Time})
	}
	w := f.windows[i]
	if w.lines++; w.lines <= foldAfter {
		return true
	}
	if len(w.shards) < foldNames && !slices.Contains(w.shards, shard) {
		w.shards = append(w.shards, shard)
	}
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok {
			w.err = err
		}
	}
	return false
}

// take returns the windows that are over at now, or all of them, and forgets them. Those
// without a line to tell of are left out.
func (f *folder) take(now time.Time, all bool) []*foldedLines {
	var over []*foldedLines
	f.windows = slices.DeleteFunc(f.windows, func(w *foldedLines) bool {
		end := all || now.Sub(w.begin) >= foldWindow
		if end && w.lines > foldAfter {
			over = append(over, w)
		}
		return end
	})
	return over
}

// text is the summary's message.
func (w *foldedLines) text() string {
	return fmt.Sprintf("%s: %d more lines like this", w.message, w.lines-foldAfter)
}

// foldCore is the core of a logger that folds the lines marked with processor.Fold.
// Others pass as they are.
type foldCore struct {
	zapcore.Core
	rec    *recorder
	inline bool // the goroutine that writes the lines logs
	marked bool
	shard  string
}

// folding returns log with its marked lines folded.
func (rc *recorder) folding(log *zap.Logger, inline bool) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return &foldCore{Core: core, rec: rc, inline: inline}
	}))
}

// With implements zapcore.Core.
func (c *foldCore) With(fields []zapcore.Field) zapcore.Core {
	d := *c
	d.Core = c.Core.With(fields)
	d.marked = c.marked || hasFold(fields)
	for _, f := range fields {
		if s, ok := f.Interface.(fmt.Stringer); ok && f.Key == "shard" {
			d.shard = s.String()
		}
	}
	return &d
}

// Check implements zapcore.Core.
func (c *foldCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return ce
	}
	return ce.AddCore(e, c)
}

// Write implements zapcore.Core. A marked line waits in the queue, so that a sink that
// hangs holds up no processor.
func (c *foldCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if !c.marked && !hasFold(fields) {
		write(c.Core, e, fields)
		return nil
	}
	fields = slices.Clone(fields)
	fold := func() {
		if c.rec.fold.add(e, c.shard, fields) {
			write(c.Core, e, fields)
		}
	}
	if c.inline {
		fold()
	} else {
		c.rec.lines.add(fold)
	}
	return nil
}

func hasFold(fields []zapcore.Field) bool {
	mark := processor.Fold()
	return slices.ContainsFunc(fields, func(f zapcore.Field) bool { return f.Type == mark.Type && f.Key == mark.Key })
}

// write passes a line on to the user's core, which may be a sampler: that decides in Check.
func write(core zapcore.Core, e zapcore.Entry, fields []zapcore.Field) {
	if ce := core.Check(e, nil); ce != nil {
		ce.Write(fields...)
	}
}

// unfold writes the summaries of the windows that are over, or of all.
func (rc *recorder) unfold(all bool) {
	rc.line(func(log *zap.Logger) {
		for _, w := range rc.fold.take(time.Now(), all) {
			fields := []zap.Field{zap.Strings("shards", w.shards)}
			if w.err != nil {
				fields = append(fields, zap.NamedError("last", w.err))
			}
			log.Log(w.level, w.text(), fields...)
		}
	})
}
