package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Clocked is a Link that also implements replicated.RecordClock.
type Clocked struct{ *Link }

var _ replicated.RecordClock = Clocked{}

// SwapQuietly implements replicated.RecordClock. Running watches do not report the write.
func (c Clocked) SwapQuietly(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	return c.swap(ctx, request{op: opSwapQuietly, key: k, old: old, data: data})
}

// OlderRecords implements replicated.RecordClock.
func (c Clocked) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	way := c.latency() / 2
	if err := c.send(ctx, request{op: opGet}, way); err != nil {
		return nil, 0, err
	}
	events, next, err := c.memory.olderRecords(age)
	if c.Faults().DropAnswers {
		<-ctx.Done()
	}
	if end := c.travel(ctx, way); end != nil {
		return nil, 0, end
	}
	return events, next, err
}

func (m *Store) olderRecords(age time.Duration) (events []replicated.Event, next time.Duration, err error) {
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
