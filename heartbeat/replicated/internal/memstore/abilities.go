package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Quiet is a Link that can write without telling watchers.
type Quiet struct{ *Link }

var _ replicated.QuietSwapper = Quiet{}

// SwapQuietly is replicated.QuietSwapper's. Watches that stand are not told.
func (q Quiet) SwapQuietly(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	return q.swap(ctx, request{op: opSwapQuietly, key: k, old: old, data: data})
}

// Clocked is a Link to a store with a clock of its own, that can write quietly too.
type Clocked struct{ Quiet }

var _ replicated.Clock = Clocked{}

// NewClocked returns a Link with all abilities.
func NewClocked(l *Link) Clocked { return Clocked{Quiet{l}} }

// Overdue is replicated.Clock's.
func (c Clocked) Overdue(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	way := c.latency() / 2
	if err := c.send(ctx, request{op: opGet}, way); err != nil {
		return nil, 0, err
	}
	events, next, err := c.memory.overdue(age)
	if c.Faults().DropAnswers {
		<-ctx.Done()
	}
	if end := c.travel(ctx, way); end != nil {
		return nil, 0, end
	}
	return events, next, err
}

func (m *Store) overdue(age time.Duration) (events []replicated.Event, next time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, 0, ErrDown
	}
	next = -1
	for k := range m.history {
		v := m.newest(k)
		if k.Kind != replicated.KindRecord || v.Data == nil {
			continue
		}
		left := age - time.Since(v.at)
		switch {
		case left < 0:
			events = append(events, replicated.Event{Key: k, Value: v.Value})
		case next < 0 || left < next:
			next = left
		}
	}
	slices.SortFunc(events, func(a, b replicated.Event) int { return cmp.Compare(a.Value.Revision, b.Value.Revision) })
	return events, next, nil
}
