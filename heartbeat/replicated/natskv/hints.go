package natskv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Every process watches the document, and a server gives a stream a thousand consumers
// unless it is told otherwise. So this watch has none. Whoever has written the document
// publishes a hint, an ordinary message with the new revision, and a watch that hears one
// asks the bucket's leader. A hint is never more than a reason to look: what a watch tells
// is what it has read. A hint can be lost, or its writer die before it: so a watch also
// looks now and then.
//
// The bucket's own subject would do without hints, but what is published there has not been
// written yet, and may be refused.

// hintPrefix is what the subjects of the hints of a namespace's groups begin with.
func hintPrefix(namespace string) string { return "rollcall." + namespace + "." }

// publishHint tells the watches of the document that there is a revision, zero if it is not known
// which.
func (s *store) publishHint(revision uint64) {
	// If it fails, the connection is closed, or has lost its server: watches look anyway.
	_ = s.conn.Publish(s.hints, strconv.AppendUint(nil, revision, 10))
}

// announce publishes a hint after a write of the document, unless it was refused.
func (s *store) announce(k replicated.Key, revision uint64, err error) {
	if k.Kind == replicated.KindDocument && !errors.Is(err, replicated.ErrConflict) {
		s.publishHint(revision)
	}
}

// documentWatch is one running watch of the document. Only the goroutine of Watch touches
// the fields, but for hinted, unknown and news.
type documentWatch struct {
	store     *store
	sink      func(replicated.Event)
	bucket    *bucket
	subject   string
	heartbeat time.Duration
	last      uint64 // the revision of the newest version told

	highestHint atomic.Uint64    // the highest revision that a hint had since the last read
	unnumbered  atomic.Bool      // a hint had none since then
	news        chan struct{}    // has a value when there was a hint
	changes     chan nats.Status // of the connection: any breaks the watch
}

// watchDocument runs a watch of the document. It is told of changes by hints, and looks
// every half TTL, more or less, without one.
func (s *store) watchDocument(ctx context.Context, sink func(replicated.Event)) error {
	w := &documentWatch{store: s, sink: sink, heartbeat: s.idleHeartbeat(), news: make(chan struct{}, 1)}
	var err error
	if w.bucket, w.subject, err = s.locate(replicated.Key{Kind: replicated.KindDocument}); err != nil {
		return err
	}
	w.changes = s.conn.StatusChanged()
	defer s.conn.RemoveStatusListener(w.changes)
	sub, err := s.conn.Subscribe(s.hints, w.onHint)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // it fails when the connection is closed
	if err := s.probeHints(ctx, w.heartbeat); err != nil {
		return err
	}
	if err := w.read(ctx); err != nil {
		return err
	}
	sink(replicated.Event{})
	return w.run(ctx)
}

// onHint takes a hint, on the subscription's goroutine.
func (w *documentWatch) onHint(m *nats.Msg) {
	revision, err := strconv.ParseUint(string(m.Data), 10, 64)
	if err != nil {
		return // anybody may publish
	}
	if revision == 0 {
		w.unnumbered.Store(true)
	}
	for {
		old := w.highestHint.Load()
		if revision <= old || w.highestHint.CompareAndSwap(old, revision) {
			break
		}
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// errNoHints is why a watch of the document ends that would hear no hints.
var errNoHints = errors.New("hints do not come through")

// probeHints finds out whether the account's user may publish hints and hear them: a server drops
// what it does not allow, and says so only to the connection.
func (s *store) probeHints(ctx context.Context, wait time.Duration) error {
	if s.conn.Opts.NoEcho {
		return nil // it would not hear itself
	}
	subject := s.hints + "." + nuid.Next()
	sub, err := s.conn.SubscribeSync(subject)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.conn.Publish(subject, nil); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, err = sub.NextMsgWithContext(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrPermissionViolation):
		return err
	}
	prefix := strings.TrimSuffix(s.hints, s.group)
	err = fmt.Errorf("%w: has the user the right to publish and to subscribe to %s>?", errNoHints, prefix)
	if lacking := parseViolation(s.conn.LastError()); lacking != nil && strings.HasPrefix(lacking.subject, prefix) {
		err = fmt.Errorf("%w (%w)", err, lacking)
	}
	return err
}

// run tells the sink of what there is after each hint, and now and then, until the watch ends.
func (w *documentWatch) run(ctx context.Context) error {
	// Not all at the same time, although all have heard the same hint.
	period := func() time.Duration {
		return heartbeatsToCheck*w.heartbeat*3/4 + rand.N(heartbeatsToCheck*w.heartbeat/2)
	}
	idle := time.NewTimer(period())
	defer idle.Stop()
	for {
		// What has come when the context ends need not be told.
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.changes:
			return errDisconnected
		case <-w.news:
			if !w.unnumbered.Swap(false) && w.highestHint.Load() <= w.last {
				continue // a read has found it meanwhile
			}
		case <-idle.C:
		}
		if err := w.read(ctx); err != nil {
			return err
		}
		idle.Reset(period())
	}
}

// readsToBelieve is how often an answer has to be repeated that is older than what was told,
// or than a hint says, to be believed. A leader may be one no more, and not know it yet.
const readsToBelieve = 3

// read asks the bucket's leader, and tells the sink if there is another version than was
// told last.
func (w *documentWatch) read(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	want := max(w.last, w.highestHint.Swap(0))
	var m *jetstream.RawStreamMsg
	revision := uint64(0)
	pause := firstPause
	for try := 0; ; try++ {
		var err error
		if m, err = w.bucket.last(bounded, w.subject); err != nil {
			return err
		}
		if m != nil {
			revision = m.Sequence
		}
		if revision >= want || try == readsToBelieve {
			break
		}
		if err := sleep(bounded, pause); err != nil {
			return err
		}
		pause *= 2
	}
	if revision < w.last {
		return errReplaced
	}
	if m == nil || revision == w.last {
		return nil
	}
	w.last = revision
	e := replicated.Event{Key: replicated.Key{Kind: replicated.KindDocument}, Value: value(m.Data, revision)}
	if deletion(nats.Header(m.Header)) {
		e.Value.Data = nil
	}
	w.sink(e)
	return nil
}
