// Package alloctest measures how many bytes code allocates, for tests that bound memory.
package alloctest

import (
	"math"
	"runtime"
)

// Bytes runs f three times and returns the smallest number of bytes that a run allocated. So the
// result leaves out what f allocates only in its first run, and what other goroutines allocate now
// and then.
func Bytes(f func()) int {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return int(least)
}
