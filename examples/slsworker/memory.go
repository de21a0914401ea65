package main

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// garbage is how much of it the collector lets pile up, in percent of what is in
	// use. Pages live in memory that is used again, so there is little of it and
	// collecting more often costs nothing that can be measured; but a worker with a
	// thousand idle shards takes 33 to 36 MiB, instead of 44 with the default of 100.
	garbage = 25

	// spare is the memory beside the budget from which on the collector works harder.
	spare = 18 << 20
)

// boundMemory has the collector work for a small program, unless the environment (GOGC,
// GOMEMLIMIT) says otherwise: the budget bounds what is in use, and not what is garbage.
func boundMemory(budget int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if os.Getenv("GOMEMLIMIT") == "" && budget <= math.MaxInt64-spare {
		debug.SetMemoryLimit(budget + spare)
	}
}
