package embedded

import "go.uber.org/zap"

// logger is the server's log in zap. The server's notices tell of its ordinary life, so
// they are the program's debug messages.
type logger struct{ to *zap.SugaredLogger }

func (l logger) Noticef(format string, v ...any) { l.to.Debugf(format, v...) }
func (l logger) Warnf(format string, v ...any)   { l.to.Warnf(format, v...) }
func (l logger) Errorf(format string, v ...any)  { l.to.Errorf(format, v...) }
func (l logger) Debugf(format string, v ...any)  { l.to.Debugf(format, v...) }
func (l logger) Tracef(format string, v ...any)  { l.to.Debugf(format, v...) }

// Fatalf does not end the process: the server's caller hears of it from Start.
func (l logger) Fatalf(format string, v ...any) { l.to.Errorf(format, v...) }
