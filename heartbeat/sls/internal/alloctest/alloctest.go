// Package alloctest measures what code allocates, for tests of bounds on memory.
package alloctest

import (
	"math"
	"runtime"
)

// Bytes runs f three times and returns the smallest number of bytes that a run allocated. So it
// does not count what f allocates only once, or what other goroutines allocate meanwhile.
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
