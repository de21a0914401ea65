// Package alloctest measures what code allocates, for tests of bounds on memory.
package alloctest

import (
	"math"
	"runtime"
)

// Bytes returns how many bytes f allocates: the least of three runs, so that what is
// allocated only once, or by another goroutine meanwhile, does not count.
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
