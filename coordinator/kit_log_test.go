package coordinator_test

import "go.uber.org/zap/zapcore"

func (h hangingCore) Enabled(zapcore.Level) bool        { return true }
func (h hangingCore) With([]zapcore.Field) zapcore.Core { return h }
func (h hangingCore) Sync() error                       { return nil }
func (h hangingCore) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return c.AddCore(e, h)
}

func (h hangingCore) Write(zapcore.Entry, []zapcore.Field) error {
	<-h.release
	return nil
}
