package shardset

import (
	"testing"
	"time"
)

// Whichever member expires, after whichever heartbeat, the others ask within a quarter of a second
// after the end of its lease, and never more rarely than the interval says.
func TestGridShowsAnExpiredMemberSoon(t *testing.T) {
	tests := []struct{ ttl, interval time.Duration }{
		{6 * time.Second, 2 * time.Second},
		{6 * time.Second, time.Second},
		{30 * time.Second, 10 * time.Second},
		{30 * time.Second, 7 * time.Second},
		{60 * time.Second, 20 * time.Second},
		{time.Second, 300 * time.Millisecond},
	}
	for _, tt := range tests {
		expired, other := time.Unix(1_790_000_000, 123_456_789), time.Unix(1_790_000_001, 0)
		for i := range 50 {
			offset := time.Duration(i) * time.Millisecond % maxGridOffset
			last := grid(expired, tt.ttl, tt.interval, offset)
			if gap := last.Sub(expired); i > 0 && gap > tt.interval+gridSlack {
				t.Fatalf("TTL %v: %v between two heartbeats, want at most the interval %v", tt.ttl, gap, tt.interval)
			}
			expired = last.Add(time.Duration(i) * time.Millisecond / 2) // it leaves a little late
			end := expired.Add(tt.ttl)
			for other.Before(end) {
				other = grid(other, tt.ttl, tt.interval, maxGridOffset-1-offset)
			}
			if late := other.Sub(end); late > 2*gridSlack {
				t.Fatalf("TTL %v, interval %v: the others ask %v after the end of the lease", tt.ttl, tt.interval, late)
			}
			other = other.Add(3 * time.Millisecond)
		}
	}
}

// A clock that was never set is no reason to send heartbeats more rarely.
func TestGridBeforeItsBeginning(t *testing.T) {
	sent := time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	if gap := grid(sent, 6*time.Second, 2*time.Second, 0).Sub(sent); gap <= 0 || gap > 2*time.Second {
		t.Errorf("the next heartbeat comes after %v, want at most 2s", gap)
	}
}

// A heartbeat that left a little before its moment is not repeated at it.
func TestGridDoesNotBeatTwice(t *testing.T) {
	ttl, interval := 6*time.Second, 2*time.Second
	at := grid(time.Unix(1_790_000_000, 0), ttl, interval, 0)
	if next := grid(at.Add(-5*time.Millisecond), ttl, interval, 0); next.Sub(at) < time.Second {
		t.Errorf("the next heartbeat comes %v after the last one", next.Sub(at))
	}
}

// The monotonic reading of a time survives, or a wall clock that is set would move the
// heartbeat.
func TestGridKeepsTheMonotonicReading(t *testing.T) {
	now := time.Now()
	next := grid(now, 6*time.Second, 2*time.Second, 0)
	if next == next.Round(0) {
		t.Error("the time has no monotonic reading")
	}
}

func TestTrackerBeatsOnTheGrid(t *testing.T) {
	now := time.Unix(1_790_000_000, 777_000_000)
	tr := NewTracker(TrackerConfig{Member: "a", Interval: 2 * time.Second, Grid: true, DrainTimeout: time.Second})
	r := tr.Beat(now)
	if _, err := tr.Accepted(now, r.Seq, Answer{TTL: 6 * time.Second}); err != nil {
		t.Fatal(err)
	}
	later := now.Add(5 * time.Second) // settled
	if _, err := tr.Accepted(later, tr.Beat(later).Seq, Answer{TTL: 6 * time.Second}); err != nil {
		t.Fatal(err)
	}
	want := grid(later, 6*time.Second, 2*time.Second, gridOffset("a"))
	if got := tr.NextHeartbeat(later); !got.Equal(want) {
		t.Errorf("the next heartbeat is due at %v, want %v", got, want)
	}
}
