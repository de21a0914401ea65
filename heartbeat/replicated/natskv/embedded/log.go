package embedded

import "go.uber.org/zap"

// logger writes the log of the server to zap. The notices of the server become debug
// messages.
type logger struct{ to *zap.SugaredLogger }

func (l logger) Noticef(format string, v ...any) { l.to.Debugf(format, v...) }
func (l logger) Warnf(format string, v ...any)   { l.to.Warnf(format, v...) }
func (l logger) Errorf(format string, v ...any)  { l.to.Errorf(format, v...) }
func (l logger) Debugf(format string, v ...any)  { l.to.Debugf(format, v...) }
func (l logger) Tracef(format string, v ...any)  { l.to.Debugf(format, v...) }

// Fatalf does not end the process. Start returns the error.
func (l logger) Fatalf(format string, v ...any) { l.to.Errorf(format, v...) }
