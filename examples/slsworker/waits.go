package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// waits counts how long logs have waited: in microseconds, in buckets that are at most a
// 32nd of their value wide.
type waits struct {
	buckets [60 << waitBits]atomic.Int64
	longest atomic.Int64 // ns
}

const waitBits = 5

func (w *waits) add(d time.Duration) {
	w.buckets[bucket(d)].Add(1)
	for {
		longest := w.longest.Load()
		if int64(d) <= longest || w.longest.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// bucket numbers the buckets: each number up to 63 has one, and from there on each
// power of two has 32.
func bucket(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	shift := max(bits.Len64(us)-waitBits-1, 0)
	return shift<<waitBits + int(us>>shift)
}

// upper returns the longest wait of a bucket.
func upper(i int) time.Duration {
	shift := max(i>>waitBits-1, 0)
	us := uint64(i-shift<<waitBits+1)<<shift - 1
	return time.Duration(us) * time.Microsecond
}

// quantile returns the wait that a share q of all did not exceed.
func (w *waits) quantile(q float64) time.Duration {
	var total int64
	for i := range w.buckets {
		total += w.buckets[i].Load()
	}
	rest := int64(q * float64(total))
	for i := range w.buckets {
		if rest -= w.buckets[i].Load(); rest < 0 {
			return min(upper(i), w.max())
		}
	}
	return w.max()
}

func (w *waits) max() time.Duration { return time.Duration(w.longest.Load()) }
