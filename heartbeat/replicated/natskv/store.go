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

// store reads and writes the values of one group. A revision is a sequence number of the
// stream of a bucket.
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
	s.records.description = "The last heartbeats of the members of Rollcall groups"
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

// Swap writes data over the revision old. If no answer arrives, it does not send the write
// again; the caller must find out whether the write was made.
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
// markersMayExpire. Even after the marker has expired, the revisions of the key keep rising,
// because all keys share the numbers of the stream.
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

// call makes a call on a key, with a deadline.
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

// connected waits until there is a connection. Without one, nats.go buffers each message, so
// a write could reach the server long after its caller has given up.
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

// unconnected returns an error that names the servers, but not the credentials in their
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

// closed returns an error that says that a connection is closed, and why, if that is known.
// The reason is only text, not a wrapped error: a caller would retry after a wrapped
// timeout. A permission violation is not the reason, because it does not close a connection.
func closed(conn *nats.Conn) error {
	if last := conn.LastError(); last != nil && !errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %v", nats.ErrConnectionClosed, last)
	}
	return nats.ErrConnectionClosed
}

// The headers of a deletion marker. A client writes the first. A server that removes a value
// itself writes the second.
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
