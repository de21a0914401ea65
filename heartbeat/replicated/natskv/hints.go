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

// Every process watches the document, and by default a stream has at most a thousand
// consumers. So a watch of the document has no consumer. A process that has written the
// document publishes a hint: an ordinary message with the new revision. A watch that
// receives a hint reads the document from the leader, and reports only what it has read. A
// hint can be lost, and a process can end before it publishes one. So a watch also reads
// periodically.
//
// A watch does not subscribe to the bucket's own subject instead: it would get each message
// before the leader has written it, and also messages that the leader refuses.

// hintPrefix returns the common prefix of the subjects of all hints of a namespace.
func hintPrefix(namespace string) string { return "rollcall." + namespace + "." }

// publishHint publishes a revision to the watches of the document. Zero means that the
// revision is not known.
func (s *store) publishHint(revision uint64) {
	// It fails if the connection is closed or lost. Then watches find the change by reading.
	_ = s.conn.Publish(s.hints, strconv.AppendUint(nil, revision, 10))
}

// announce publishes a hint after a write of the document, unless the write was refused. It
// does so after an unclear answer too, because the write may have succeeded.
func (s *store) announce(k replicated.Key, revision uint64, err error) {
	if k.Kind == replicated.KindDocument && !errors.Is(err, replicated.ErrConflict) {
		s.publishHint(revision)
	}
}

// documentWatch is one running watch of the document. Only the goroutine of Watch uses the
// fields, except for highestHint, unnumbered and news.
type documentWatch struct {
	store     *store
	sink      func(replicated.Event)
	bucket    *bucket
	subject   string
	heartbeat time.Duration
	last      uint64 // the revision of the newest version reported

	highestHint atomic.Uint64    // the highest revision in a hint since the last read
	unnumbered  atomic.Bool      // a hint without a revision came since the last read
	news        chan struct{}    // has a value after a hint
	changes     chan nats.Status // of the connection; any change ends the watch
}

// watchDocument runs a watch of the document. It reads after each hint, and about every
// half TTL without one.
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

// onHint handles a hint, on the subscription's goroutine.
func (w *documentWatch) onHint(m *nats.Msg) {
	revision, err := strconv.ParseUint(string(m.Data), 10, 64)
	if err != nil {
		return // other programs may publish on the subject
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

// errNoHints is the error of a watch of the document that cannot receive hints.
var errNoHints = errors.New("hints do not arrive")

// probeHints finds out whether the user may publish hints and subscribe to them. Without the
// permission, the server drops hints, and reports that only to the connection.
func (s *store) probeHints(ctx context.Context, wait time.Duration) error {
	if s.conn.Opts.NoEcho {
		return nil // the connection does not receive its own messages
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
	err = fmt.Errorf("%w: the user needs permission to publish and to subscribe to %s>", errNoHints, prefix)
	if denied := parseViolation(s.conn.LastError()); denied != nil && strings.HasPrefix(denied.subject, prefix) {
		err = fmt.Errorf("%w (%w)", err, denied)
	}
	return err
}

// run reads the document after each hint, and periodically, until the watch ends.
func (w *documentWatch) run(ctx context.Context) error {
	// The period is random, so that the watches do not all read at the same time: all have
	// received the same hint.
	period := func() time.Duration {
		return checkAfter*w.heartbeat*3/4 + rand.N(checkAfter*w.heartbeat/2)
	}
	idle := time.NewTimer(period())
	defer idle.Stop()
	for {
		// Once ctx has ended, the watch stops, even if more news waits.
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
				continue // a read has already found it
			}
		case <-idle.C:
		}
		if err := w.read(ctx); err != nil {
			return err
		}
		idle.Reset(period())
	}
}

// confirmingReads is how often a watch repeats a read whose answer is older than a hint, or
// older than the last version reported. Such an answer may come from a server that does not
// know yet that it is no longer the leader. After the last repetition, the watch accepts the
// answer.
const confirmingReads = 3

// read reads the document from the leader, and reports it to the sink if its version is
// new.
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
		if revision >= want || try == confirmingReads {
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
