//go:build !unix

package slslog

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
