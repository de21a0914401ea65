package natskv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// markerLife is how long the deletion marker of a record stays, so that an operator can see
// what happened to a member.
const markerLife = time.Hour

// callTimeout limits a call whose context has no deadline.
const callTimeout = 10 * time.Second

// store holds the values of one group. Revisions are the sequence numbers of the buckets'
// streams.
type store struct {
	conn  *nats.Conn
	group string
	ttl   time.Duration
	log   *zap.Logger
	hints string // the subject of the hints, see hints.go

	documents *bucket // and checkpoints
	records   *bucket
}

var (
	_ replicated.Store  = (*store)(nil)
	_ replicated.Lister = (*store)(nil)
)

// openStore returns the store of a Config that is complete.
func openStore(cfg Config) *store {
	s := &store{conn: cfg.Conn, group: cfg.Group, ttl: cmp.Or(cfg.TTL, replicated.DefaultTTL), log: cfg.Logger.With(zap.String("group", cfg.Group))}
	s.hints = hintPrefix(cfg.Namespace) + cfg.Group
	s.documents = newBucket(s, "G_"+cfg.Namespace, jetstream.FileStorage, cfg.Replicas)
	s.documents.description = "Rollcall groups and checkpoints"
	storage := jetstream.MemoryStorage
	if cfg.RecordsOnDisk {
		storage = jetstream.FileStorage
	}
	s.records = newBucket(s, "M_"+cfg.Namespace, storage, cfg.Replicas)
	s.records.description = "What the members of Rollcall groups said last"
	s.records.volatile, s.records.markerLife, s.records.maxConsumers = true, markerLife, recordWatches
	return s
}

// Get reads from the leader of the key's bucket.
func (s *store) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	var v replicated.Value
	err := s.call(ctx, "get", k, func(ctx context.Context, b *bucket, subject string) error {
		m, err := b.last(ctx, subject)
		if err == nil && m != nil && !deletion(nats.Header(m.Header)) {
			v = value(m.Data, m.Sequence)
		}
		return err
	})
	return v, err
}

// Swap sends the write once. If the answer is not clear, the caller must find out the
// outcome.
func (s *store) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	var revision uint64
	err := s.call(ctx, "swap", k, func(ctx context.Context, b *bucket, subject string) (err error) {
		m := &nats.Msg{Subject: subject, Data: data}
		if old > 0 {
			revision, err = b.write(ctx, m, old)
		} else {
			revision, err = b.create(ctx, m)
		}
		return err
	})
	s.announce(k, revision, err)
	return revision, err
}

// Delete writes a deletion marker. The marker of a record expires if that is safe: see
// markersMayGo. Revisions keep rising without the marker, because they are the stream's
// numbers.
func (s *store) Delete(ctx context.Context, k replicated.Key, old uint64) error {
	err := s.call(ctx, "deletion", k, func(ctx context.Context, b *bucket, subject string) error {
		if old == 0 {
			return jetstream.ErrKeyRevisionMismatch // there is no such version
		}
		return b.remove(ctx, subject, old)
	})
	s.announce(k, 0, err)
	return err
}

// call makes a call on a key, within its time.
func (s *store) call(
	ctx context.Context, what string, k replicated.Key, do func(context.Context, *bucket, string) error,
) error {
	if err := ctx.Err(); err != nil {
		return explain(ctx, what, k, err)
	}
	b, subject, err := s.locate(k)
	if err != nil {
		return explain(ctx, what, k, err)
	}
	bounded, cancel := bound(ctx)
	defer cancel()
	if err := s.connected(bounded); err != nil {
		return explain(ctx, what, k, err)
	}
	return explain(bounded, what, k, do(bounded, b, subject))
}

// bound sets a deadline if ctx has none: requests of NATS need one.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}

// connected waits until there is a connection. NATS buffers what is sent without one, so a
// write could reach its server when its caller has long given up.
func (s *store) connected(ctx context.Context) error {
	if s.conn.IsConnected() {
		return nil
	}
	changes := s.conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer s.conn.RemoveStatusListener(changes)
	for !s.conn.IsConnected() {
		if s.conn.IsClosed() {
			return closed(s.conn)
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return unconnected(ctx, s.conn)
		}
	}
	return nil
}

// unconnected names the servers that cannot be reached, without the credentials in their
// URLs.
func unconnected(ctx context.Context, conn *nats.Conn) error {
	var servers []string
	for _, server := range conn.Servers() {
		if u, err := url.Parse(server); err == nil {
			servers = append(servers, u.Host)
		}
	}
	err := fmt.Errorf("no connection to %s: %w", strings.Join(servers, ", "), ctx.Err())
	if last := conn.LastError(); last != nil {
		err = fmt.Errorf("%w (the connection's last error: %w)", err, last)
	}
	return err
}

// closed says that a connection is closed, and why, if there is a reason. The reason is not
// part of the chain of errors: a timeout in it would say that a retry may help. A
// permission violation is no reason, because it does not close a connection.
func closed(conn *nats.Conn) error {
	if last := conn.LastError(); last != nil && !errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %v", nats.ErrConnectionClosed, last)
	}
	return nats.ErrConnectionClosed
}

// The headers of a deletion marker: the first is written by clients, the second by a server
// that removes a value itself.
const (
	operation = "KV-Operation"
	reason    = "Nats-Marker-Reason"
)

func deletion(h nats.Header) bool { return h.Get(operation) != "" || h.Get(reason) != "" }

// value returns a Value whose data is not nil.
func value(data []byte, revision uint64) replicated.Value {
	if data == nil {
		data = []byte{}
	}
	return replicated.Value{Data: data, Revision: revision}
}
