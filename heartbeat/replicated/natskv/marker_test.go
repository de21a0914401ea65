package natskv

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// brief returns a store whose deletion markers last a second, the shortest TTL of a
// message.
func brief(t *testing.T, server *embedded.Server, cfg Config) *store {
	t.Helper()
	s := open(t, server, cfg)
	s.records.markerLife = time.Second
	return s
}

// stateOf returns the state of the stream of the records, by its leader.
func stateOf(t *testing.T, s *store) jetstream.StreamState {
	t.Helper()
	info, err := s.records.info(soon(t), boundTo(t, s.records))
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

// awaitGone waits until a record's key has no message, not even a marker.
func awaitGone(t *testing.T, s *store, k replicated.Key) {
	t.Helper()
	_, subject, _ := s.locate(k)
	for ctx := soon(t); ; time.Sleep(50 * time.Millisecond) {
		m, err := s.records.last(ctx, subject)
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			return
		}
	}
}

// markerOf returns the marker of a record.
func markerOf(t *testing.T, s *store, k replicated.Key) *jetstream.RawStreamMsg {
	t.Helper()
	_, subject, _ := s.locate(k)
	m, err := s.records.last(soon(t), subject)
	if err != nil || m == nil || !deletion(nats.Header(m.Header)) {
		t.Fatalf("under %s there is %v (%v), want a marker of deletion", k, m, err)
	}
	return m
}

func deleted(t *testing.T, s *store, k replicated.Key, old uint64) {
	t.Helper()
	if err := s.Delete(soon(t), k, old); err != nil {
		t.Fatal(err)
	}
}

// The marker of a former member expires, and watches report nothing about it. Revisions
// keep rising, and none is used twice.
func TestMarkersExpire(t *testing.T) {
	t.Run("R1", func(t *testing.T) {
		t.Parallel()
		server := lone(t)
		markersExpire(t, brief(t, server, Config{}), brief(t, server, Config{}))
	})
	t.Run("R3", func(t *testing.T) {
		t.Parallel()
		servers, err := embedded.StartCluster(soon(t), t.TempDir(), 3, embedded.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { embedded.CloseAll(servers) })
		markersExpire(t, brief(t, servers[0], Config{Replicas: 3}), brief(t, servers[2], Config{Replicas: 3}))
	})
}

func markersExpire(t *testing.T, s, other *store) {
	key := recordOf("a")
	first := swapped(t, s, key, 0)
	deleted(t, s, key, first)
	marker := markerOf(t, other, key).Sequence
	if there := told(t, other, replicated.KindRecord); len(there) != 1 || there[0].Value.Data != nil {
		t.Errorf("before the marker expires a watch tells %v, want a deletion", there)
	}
	awaitGone(t, s, key)
	if state := stateOf(t, other); state.LastSeq != marker || state.Msgs != 1 {
		t.Errorf("the last revision is %d of %d messages, want %d, of the mark alone", state.LastSeq, state.Msgs, marker)
	}
	if there := told(t, other, replicated.KindRecord); len(there) != 0 {
		t.Errorf("after the marker expired a watch tells %v", there)
	}
	if v, err := other.Get(soon(t), key); err != nil || v.Revision != 0 {
		t.Errorf("the key is read as %v (%v), want nothing", v, err)
	}
	for _, old := range []uint64{first, marker} {
		if _, err := other.Swap(soon(t), key, old, []byte("late")); !errors.Is(err, replicated.ErrConflict) {
			t.Errorf("a swap over revision %d, which has expired, returned %v; want a conflict", old, err)
		}
		if err := other.Delete(soon(t), key, old); !errors.Is(err, replicated.ErrConflict) {
			t.Errorf("a deletion of revision %d, which has expired, returned %v; want a conflict", old, err)
		}
	}
	again := swapped(t, other, key, 0)
	if again <= marker {
		t.Errorf("the first revision after the marker %d is %d", marker, again)
	}
	if v, err := s.Get(soon(t), key); err != nil || v.Revision != again {
		t.Errorf("the key is read at %d (%v), want %d", v.Revision, err, again)
	}
}

// late is a JetStream that runs a function before or after one of its writes.
type late struct {
	jetstream.JetStream
	before, after func(write int)
	writes        int
}

func (l *late) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	l.writes++
	if l.before != nil {
		l.before(l.writes)
	}
	ack, err := l.JetStream.PublishMsg(ctx, m, opts...)
	if l.after != nil {
		l.after(l.writes)
	}
	return ack, err
}

// A key can be created while its marker expires, whenever that happens. A value that
// another process has created meanwhile is a conflict.
func TestCreateWhileMarkerExpires(t *testing.T) {
	server := lone(t)
	other := brief(t, server, Config{})
	key := recordOf("a")
	gone := func(at int) func(int) {
		return func(write int) {
			if write == at {
				awaitGone(t, other, key)
			}
		}
	}
	for _, c := range []struct {
		name     string
		js       late
		conflict bool
	}{
		{"before the marker is read", late{after: gone(1)}, false},
		{"before it is overwritten", late{before: gone(2)}, false},
		{"and somebody else makes the key", late{before: func(write int) {
			if gone(2)(write); write == 2 {
				swapped(t, other, key, 0)
			}
		}}, true},
	} {
		s := brief(t, server, Config{})
		at := swapped(t, s, key, 0)
		deleted(t, s, key, at)
		c.js.JetStream = api(t, s.records)
		s.records.js = &c.js
		revision, err := s.Swap(soon(t), key, 0, []byte("anew"))
		if errors.Is(err, replicated.ErrConflict) != c.conflict || err == nil && revision <= at {
			t.Errorf("the marker expires %s: the key, made after revision %d, is at %d, %v", c.name, at, revision, err)
		}
		v, err := s.Get(soon(t), key)
		if err != nil {
			t.Fatal(err)
		}
		deleted(t, other, key, v.Revision)
		awaitGone(t, other, key)
	}
}

// Markers expire in an existing bucket too, but not if an earlier version could become
// visible, nor if the server refuses it.
func TestMarkersOfBucketsThatExist(t *testing.T) {
	server := lone(t)
	for namespace, c := range map[string]struct {
		history      uint8
		storage      jetstream.StorageType
		limit        time.Duration // with which the server allows messages to expire already
		noMessageTTL bool
		ttl          string
	}{
		"plain":          {1, jetstream.MemoryStorage, 0, false, "1h0m0s"},
		"history":        {5, jetstream.MemoryStorage, time.Hour, false, ""},
		"disk":           {1, jetstream.FileStorage, time.Hour, false, ""},
		"no-message-ttl": {1, jetstream.MemoryStorage, 0, true, ""},
	} {
		s := open(t, server, Config{Namespace: namespace})
		s.records.noMessageTTL = c.noMessageTTL
		if _, err := api(t, s.records).CreateKeyValue(soon(t), jetstream.KeyValueConfig{
			Bucket: s.records.name, History: c.history, Storage: c.storage, LimitMarkerTTL: c.limit,
		}); err != nil {
			t.Fatal(err)
		}
		at := swapped(t, s, recordOf("a"), 0)
		deleted(t, s, recordOf("a"), at)
		if ttl := nats.Header(markerOf(t, s, recordOf("a")).Header).Get(jetstream.MsgTTLHeader); ttl != c.ttl {
			t.Errorf("in the bucket %q a marker lasts %q, want %q", namespace, ttl, c.ttl)
		}
		swapped(t, s, recordOf("a"), 0)
	}
	s := open(t, server, Config{Namespace: "documents"})
	document := replicated.Key{Kind: replicated.KindDocument}
	deleted(t, s, document, swapped(t, s, document, 0))
	onDisk := open(t, server, Config{RecordsOnDisk: true})
	if s.documents.settings().AllowMsgTTL || onDisk.records.settings().AllowMsgTTL {
		t.Error("a bucket on disk that is made lets messages expire")
	}
}

// A deletion also works in a stream that others have created, and that lets no message
// expire.
func TestMarkerInAnotherStream(t *testing.T) {
	s := open(t, lone(t), Config{})
	swapped(t, s, recordOf("a"), 0)
	js, cfg := api(t, s.records), boundTo(t, s.records).CachedInfo().Config
	if err := js.DeleteStream(soon(t), cfg.Name); err != nil {
		t.Fatal(err)
	}
	cfg.AllowMsgTTL, cfg.FirstSeq = false, s.records.firstNumber(time.Now())
	if _, err := js.CreateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	_, subject, _ := s.locate(recordOf("a"))
	ack, err := js.Publish(soon(t), subject, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	s.records.noMessageTTL = true
	deleted(t, s, recordOf("a"), ack.Sequence)
	if ttl := nats.Header(markerOf(t, s, recordOf("a")).Header).Get(jetstream.MsgTTLHeader); ttl != "" {
		t.Errorf("the marker lasts %s in a stream that lets nothing expire", ttl)
	}
}
