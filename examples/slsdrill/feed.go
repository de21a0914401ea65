package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// logsAGroup is how many logs each log group has.
const logsAGroup = 4

// feed puts log groups into shards at a steady pace.
type feed struct {
	client *sls.Client
	begin  map[int]int64 // the cursors at the start
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	err  error
	puts map[int][]time.Time // of each log group, in the order of a shard
}

// startFeed begins to put so many log groups a second into each of the first shards.
func (s *stage) startFeed(shards int, rate float64) error {
	list, err := s.client.ListShards(s.ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	f := &feed{client: s.client, begin: map[int]int64{}, cancel: cancel, puts: map[int][]time.Time{}}
	s.feed = f
	for _, sh := range list[:shards] {
		if f.begin[sh.Number], err = f.cursor(ctx, sh.Number, sls.Begin); err != nil {
			return err
		}
	}
	for i, sh := range list[:shards] {
		f.all.Go(func() {
			// Spread over the interval, so that not all puts come together.
			time.Sleep(time.Duration(float64(i) / float64(shards) / rate * float64(time.Second)))
			if err := f.put(ctx, sh, time.Duration(float64(time.Second)/rate)); err != nil && ctx.Err() == nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.err = err
			}
		})
	}
	return nil
}

// put puts a log group every so often.
func (f *feed) put(ctx context.Context, sh sls.Shard, every time.Duration) error {
	var b slslog.Builder
	text := []byte(strings.Repeat("x", 100))
	t := time.NewTicker(every)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		b.Reset()
		now := time.Now()
		for i := range logsAGroup {
			err := b.AddLog(now,
				slslog.Content{Key: "text", Value: text},
				slslog.Content{Key: "number", Value: strconv.AppendInt(nil, int64(n*logsAGroup+i), 10)})
			if err != nil {
				return err
			}
		}
		f.mu.Lock()
		f.puts[sh.Number] = append(f.puts[sh.Number], now)
		f.mu.Unlock()
		// What was begun is finished, so that what is in the shard is known.
		if err := f.client.Put(context.WithoutCancel(ctx), b.Bytes(), sls.PutOptions{HashKey: sh.BeginKey}); err != nil {
			return err
		}
	}
}

// stop ends the feed and waits for the last put.
func (f *feed) stop() {
	f.cancel()
	f.all.Wait()
}

// delays returns how long each log group that was handled after a time had waited since
// it was put.
func (f *feed) delays(g *ledger, since time.Time) (all []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for shard, puts := range f.puts {
		for _, h := range g.shard(shard) {
			for i := h.from - f.begin[shard]; h.at.After(since) && i < h.next-f.begin[shard]; i++ {
				all = append(all, h.at.Sub(puts[i]))
			}
		}
	}
	return all
}

// fault is why a put failed.
func (f *feed) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *feed) cursor(ctx context.Context, shard int, from sls.From) (int64, error) {
	cursor, err := f.client.Cursor(ctx, shard, from)
	if err != nil {
		return 0, fmt.Errorf("shard %d: %w", shard, err)
	}
	return number(cursor)
}
