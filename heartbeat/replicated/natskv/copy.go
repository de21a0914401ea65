package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// Copy copies a group to another server, cluster, namespace or name. First stop all workers
// of the group: Copy does not copy members. It copies the checkpoints first and the document
// last, so an interrupted copy is not yet a group, and Copy can be called again. It refuses
// to overwrite a group. It ignores Shards, Ordered and TTL of both Configs, because the copy
// keeps those of the group.
func Copy(ctx context.Context, from, to Config) error {
	faults := &shardset.ConfigError{Config: "natskv.Config"}
	for i, cfg := range []*Config{&from, &to} {
		cfg.Shards, cfg.TTL = nil, 0
		for _, f := range cfg.complete().Faults {
			faults.Add([]string{"from", "to"}[i]+"."+f.Field, "%s", f.Reason)
		}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	source, target := openStore(from), openStore(to)
	document := replicated.Key{Kind: replicated.KindDocument}
	there, err := target.Get(ctx, document)
	if err != nil {
		return err
	}
	if there.Data != nil {
		return fmt.Errorf("natskv: copy to group %q: the group exists", to.Group)
	}
	group, err := source.Get(ctx, document)
	if err != nil {
		return err
	}
	if group.Data == nil {
		return fmt.Errorf("natskv: copy from group %q: there is no such group", from.Group)
	}
	checkpoints, err := source.Keys(ctx, replicated.KindCheckpoint)
	if err != nil {
		return fmt.Errorf("natskv: the %ss: %w", replicated.KindCheckpoint, err)
	}
	for _, k := range checkpoints {
		v, err := source.Get(ctx, k)
		if err != nil {
			return err
		}
		if v.Data == nil {
			continue // it is deleted
		}
		if err := target.put(ctx, k, v.Data); err != nil {
			return err
		}
	}
	_, err = target.Swap(ctx, document, 0, group.Data)
	return err
}

// Keys returns the keys of a kind, deleted ones included. It asks the leader of their bucket.
// A watch would ask any node, which may be behind the leader.
func (s *store) Keys(ctx context.Context, kind replicated.Kind) (keys []replicated.Key, err error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := s.connected(ctx); err != nil {
		return nil, final(err)
	}
	b, filter := s.bucketOf(kind)
	var subjects map[string]uint64
	err = b.withStream(ctx, false, func(stream jetstream.Stream) (err error) {
		subjects, err = b.subjects(ctx, stream, filter+">")
		return err
	})
	if err != nil && !errors.Is(err, errNoBucket) {
		return nil, final(err)
	}
	for subject := range subjects {
		if k, ok := s.keyOf(kind, subject); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// put writes a key, whatever version it has now.
func (s *store) put(ctx context.Context, k replicated.Key, data []byte) error {
	for {
		v, err := s.Get(ctx, k)
		if err != nil {
			return err
		}
		if _, err = s.Swap(ctx, k, v.Revision, data); !errors.Is(err, replicated.ErrConflict) {
			return err
		}
	}
}
