package natskv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bucket is one key-value bucket of JetStream: the stream KV_<name> with the subjects
// $KV.<name>.>. The first call looks for the stream, and a write creates one if there is none.
// If the stream is gone later, the next call looks for it again.
type bucket struct {
	store       *store
	name        string
	stream      string // the name of its stream
	prefix      string // of its subjects
	description string
	storage     jetstream.StorageType
	replicas    int
	volatile    bool // a restart of all nodes may lose it, see identity.go
	// maxConsumers limits the consumers of a stream that this client creates. -1: the
	// server's default.
	maxConsumers int
	markerLife   time.Duration // how long its deletion markers stay; zero: for ever

	// binding has a value while a goroutine finds, creates or verifies the stream. It is a
	// channel, so that a goroutine can stop waiting for it when its context ends.
	binding      chan struct{}
	noMessageTTL bool          // AllowMsgTTL cannot be switched on; guarded by binding
	highest      atomic.Uint64 // the highest revision seen

	mu       sync.Mutex // guards the fields below; never held across I/O
	js       jetstream.JetStream
	bound    jetstream.Stream // nil: not found yet, or gone
	identity streamIdentity
	warned   bool // that the bucket differs from the Config
}

func newBucket(s *store, name string, storage jetstream.StorageType, replicas int) *bucket {
	return &bucket{
		store: s, name: name, stream: "KV_" + name, prefix: "$KV." + name + ".",
		storage: storage, replicas: replicas, maxConsumers: -1, binding: make(chan struct{}, 1),
	}
}

// current returns the stream, or nil if it must first be found or verified.
func (b *bucket) current() jetstream.Stream {
	connection := b.store.conn.Stats().Reconnects
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.volatile && b.identity.connection != connection {
		return nil
	}
	return b.bound
}

// lockBinding waits until no other goroutine binds or verifies. unlockBinding must follow.
func (b *bucket) lockBinding(ctx context.Context) error {
	select {
	case b.binding <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bucket) unlockBinding() { <-b.binding }

// errNoBucket is the result of a read of a bucket that does not exist.
var errNoBucket = errors.New("there is no such bucket")

// bind returns the stream of the bucket. It finds and verifies the stream if necessary. If
// there is none, it creates one for a write, and otherwise returns errNoBucket.
func (b *bucket) bind(ctx context.Context, write bool) (jetstream.Stream, error) {
	if s := b.current(); s != nil {
		return s, nil
	}
	if err := b.lockBinding(ctx); err != nil {
		return nil, err
	}
	defer b.unlockBinding()
	if s := b.current(); s != nil {
		return s, nil // another goroutine has bound it
	}
	s, err := b.open(ctx, write)
	if err == nil && b.volatile {
		s, err = b.verify(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", b.name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = s
	return s, nil
}

// forget removes the handle of a stream that is gone, unless another goroutine has bound a
// new stream meanwhile.
func (b *bucket) forget(s jetstream.Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s != nil && b.bound == s {
		b.bound = nil
	}
}

// api returns the connection's JetStream.
func (b *bucket) api() (jetstream.JetStream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.js != nil {
		return b.js, nil
	}
	js, err := jetstream.New(b.store.conn)
	if err != nil {
		return nil, err
	}
	b.js = js
	return js, nil
}

// The pauses between retries while there is no stream or no leader.
const (
	firstPause = 8 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// withStream calls do with the stream of the bucket. If do returns an error for which noStream
// is true, it must have written nothing. Then withStream binds again and retries until ctx
// ends, because some servers learn later than others of a new stream or a new leader.
func (b *bucket) withStream(ctx context.Context, write bool, do func(jetstream.Stream) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		s, err := b.bind(ctx, write)
		if err == nil {
			err = do(s)
		}
		if !noStream(err) {
			return err
		}
		b.forget(s)
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}

// info returns the state of a stream, and updates the settings in its handle. If somebody has
// switched AllowDirect on again, the handle would now use it. So info forgets the handle, and
// the next bind switches AllowDirect off.
func (b *bucket) info(
	ctx context.Context, s jetstream.Stream, opts ...jetstream.StreamInfoOpt,
) (*jetstream.StreamInfo, error) {
	info, err := queryAPI(ctx, b, "STREAM.INFO."+b.stream, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		return s.Info(ctx, opts...)
	})
	if err == nil && info.Config.AllowDirect {
		b.forget(s)
	}
	return info, err
}

// subjects returns the subjects that match a filter and have a message. It asks the leader.
func (b *bucket) subjects(ctx context.Context, s jetstream.Stream, filter string) (map[string]uint64, error) {
	info, err := b.info(ctx, s, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// last returns the newest message of a subject, or nil.
func (b *bucket) last(ctx context.Context, subject string) (m *jetstream.RawStreamMsg, err error) {
	err = b.withStream(ctx, false, func(s jetstream.Stream) error {
		m, err = b.newest(ctx, s, subject)
		return err
	})
	if errors.Is(err, errNoBucket) {
		return nil, nil
	}
	if m != nil {
		b.noteRevision(m.Sequence)
	}
	return m, err
}

// newest returns the newest message of a subject, or nil. The leader answers, because
// AllowDirect is off in the settings of the handle.
func (b *bucket) newest(ctx context.Context, s jetstream.Stream, subject string) (*jetstream.RawStreamMsg, error) {
	m, err := queryAPI(ctx, b, "STREAM.MSG.GET."+b.stream, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return s.GetLastMsgForSubject(ctx, subject)
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	return m, err
}

// The timeout of the first try of a read, and the longest timeout of a later try.
const (
	firstTry = 500 * time.Millisecond
	lastTry  = 4 * time.Second
)

// retryRead makes a request that does no harm if it is made twice. It retries if there is no
// answer or no leader: without a leader, a request does not always get an answer.
func retryRead[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	pause := firstPause
	for try := firstTry; ; try = min(2*try, lastTry) {
		bounded, cancel := context.WithTimeout(ctx, try)
		answer, err := ask(bounded)
		cancel()
		switch {
		case err == nil || ctx.Err() != nil:
			return answer, err
		case noLeader(err):
			if sleep(ctx, pause) != nil {
				return answer, err
			}
			pause = min(2*pause, lastPause)
		case !errors.Is(err, context.DeadlineExceeded):
			return answer, err
		}
	}
}

// noteRevision notes a revision that this process has seen. It never lowers highest.
func (b *bucket) noteRevision(revision uint64) {
	for {
		highest := b.highest.Load()
		if revision <= highest || b.highest.CompareAndSwap(highest, revision) {
			return
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
