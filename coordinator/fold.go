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
	// In each foldWindow, foldAfter lines of one level and message are written. The others
	// are counted, and one line summarizes them.
	foldAfter  = 5
	foldWindow = 10 * time.Second
	// foldNames is how many shards the summary names.
	foldNames = 100
)

// folder decides which lines are written. If a sink fails for a thousand shards, the log gets
// five lines and a summary, not a thousand lines. folder is pure. Only the goroutine that
// writes the lines uses it.
type folder struct {
	windows []*foldedLines // sorted by begin
}

// foldedLines counts the lines of one message in its window.
type foldedLines struct {
	level   zapcore.Level
	message string
	begin   time.Time
	lines   int
	shards  []string // of the lines that were not written, each once, up to foldNames
	err     error    // the newest error in these lines
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

// take removes the windows that have ended at now, or all of them. It returns those that need a
// summary.
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

// foldCore is the core of a logger that folds the lines marked with processor.Fold. It passes
// other lines on unchanged.
type foldCore struct {
	zapcore.Core
	rec    *recorder
	inline bool // the caller is the goroutine that writes the lines
	marked bool
	shard  string
}

// folding returns a logger that folds the marked lines of log.
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

// Write implements zapcore.Core. A marked line goes through the queue, so that a sink that hangs
// does not block a processor.
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

// write passes a line on to the user's core. It calls Check, because a sampler decides there
// whether to write the line.
func write(core zapcore.Core, e zapcore.Entry, fields []zapcore.Field) {
	if ce := core.Check(e, nil); ce != nil {
		ce.Write(fields...)
	}
}

// unfold writes the summaries of the windows that have ended, or of all.
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
