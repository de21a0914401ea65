package natskv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Reasons why a watch ends, besides its context and the errors of a server.
var (
	errDisconnected    = errors.New("the connection was lost, and changes may have been missed")
	errGap             = errors.New("a message of the watch is missing")
	errNoIdleHeartbeat = errors.New("the server has sent no idle heartbeat")
	errReplaced        = errors.New("the bucket was replaced, or has lost writes")
	errBehind          = errors.New("the node of the watch is behind the leader of the bucket")
)

// Watch watches the keys of one kind: the document (see hints.go) or the records. A watch of
// the records has its own consumer. It ends at the first sign that it has missed a message; a
// new watch then reports all existing keys. In each pause, the server sends an idle heartbeat
// with the number of its last message. So the watch can tell a group without changes from a
// lost server.
//
// The consumer is on one node of the bucket, which may be behind the leader. So Watch may
// report an older version than Get returns, even before the zero Event. But it leaves out no
// key, because the leader says which keys exist.
func (s *store) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if kind != replicated.KindDocument && kind != replicated.KindRecord {
		return fmt.Errorf("natskv: a watch of %s: only documents and records can be watched", kind)
	}
	err := final(s.watch(ctx, kind, sink))
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = ended
	}
	return fmt.Errorf("natskv: watch of the %ss: %w", kind, err)
}

// watch runs a watch until it ends.
func (s *store) watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.connected(ctx); err != nil {
		return err
	}
	if kind == replicated.KindDocument {
		return s.watchDocument(ctx, sink)
	}
	w := &watch{store: s, kind: kind, sink: sink, messages: make(chan *nats.Msg, 16),
		ended: make(chan struct{}), heartbeat: s.idleHeartbeat()}
	defer w.close()
	if err := w.open(ctx); err != nil {
		return err
	}
	return w.run(ctx)
}

// The server of a watch sends an idle heartbeat when it has sent nothing for an interval: an
// eighth of the TTL, within these bounds.
const (
	minHeartbeat = 500 * time.Millisecond
	maxHeartbeat = 5 * time.Second
)

const (
	maxMissed  = 3 // the watch ends after so many intervals without a message
	maxBehind  = 3 // the watch ends after so many idle heartbeats while keys are missing
	checkAfter = 4 // the watch checks the stream after so many intervals
)

func (s *store) idleHeartbeat() time.Duration { return min(max(s.ttl/8, minHeartbeat), maxHeartbeat) }

// run handles messages until the watch ends.
func (w *watch) run(ctx context.Context) error {
	w.catchUp()
	ticks := time.NewTicker(w.heartbeat)
	defer ticks.Stop()
	for {
		// Once ctx has ended, the watch stops, even if more messages wait.
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.changes:
			return errDisconnected
		case <-ticks.C:
			if err := w.onTick(ctx); err != nil {
				return err
			}
		case m := <-w.messages:
			w.missed = 0
			if err := w.onMessage(ctx, m); err != nil {
				return err
			}
		}
	}
}

// onTick notes that an interval has passed. If the process was paused for several intervals,
// onTick notes only one, because the messages of those intervals still wait in the channel.
func (w *watch) onTick(ctx context.Context) error {
	if w.missed++; w.missed >= maxMissed {
		return errNoIdleHeartbeat
	}
	if w.intervals++; w.intervals%checkAfter != 0 {
		return nil
	}
	return w.check(ctx)
}

// onMessage handles one message of the consumer: a version of a key, or a status.
func (w *watch) onMessage(ctx context.Context, m *nats.Msg) error {
	if status := m.Header.Get("Status"); status != "" {
		return w.onStatus(ctx, m, status)
	}
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != w.delivered+1 {
		return errGap
	}
	if meta.Sequence.Stream <= w.last {
		return errReplaced
	}
	w.delivered, w.last, w.behind = meta.Sequence.Consumer, meta.Sequence.Stream, 0
	w.bucket.noteRevision(w.last)
	w.report(m)
	delete(w.missing, m.Subject)
	w.catchUp()
	return nil
}

// report reports a version to the sink. It ignores a subject that no store has written.
func (w *watch) report(m *nats.Msg) {
	k, ok := w.store.keyOf(w.kind, m.Subject)
	if !ok {
		return
	}
	e := replicated.Event{Key: k, Value: value(m.Data, w.last)}
	if deletion(m.Header) {
		e.Value.Data = nil
	}
	w.sink(e)
}

// catchUp reports the zero Event once all existing keys are reported.
func (w *watch) catchUp() {
	if !w.caughtUp && len(w.missing) == 0 {
		w.caughtUp = true
		w.sink(replicated.Event{})
	}
}

// onStatus handles a status message. An idle heartbeat says that the server has sent nothing
// for an interval, and has the number of its last message.
func (w *watch) onStatus(ctx context.Context, m *nats.Msg, status string) error {
	if status != "100" {
		return fmt.Errorf("the server says %q %s", m.Header.Get("Description"), status)
	}
	sent, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
	if err != nil {
		return nil // flow control, or unknown
	}
	if sent != w.delivered {
		return errGap
	}
	return w.checkMissing(ctx)
}

// checkMissing asks the leader which of the missing keys still exist, because a key may have
// been deleted and its marker may have expired. It does not trust the consumer's node, which
// may be behind. If keys stay missing, the watch ends; the next watch may be on another node.
func (w *watch) checkMissing(ctx context.Context) error {
	if len(w.missing) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, w.heartbeat)
	defer cancel()
	there, err := w.listSubjects(bounded)
	if err != nil {
		return nil // the next heartbeat tries again
	}
	maps.DeleteFunc(w.missing, func(subject string, _ uint64) bool {
		_, still := there[subject]
		return !still
	})
	w.catchUp()
	if len(w.missing) == 0 {
		return nil
	}
	if w.behind++; w.behind >= maxBehind {
		return errBehind
	}
	return nil
}

// check asks the leader whether the bucket still has the stream that the watch began with.
// If the stream was replaced, the server of the watch may not know it.
func (w *watch) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.heartbeat)
	defer cancel()
	info, err := w.bucket.info(ctx, w.stream)
	if err != nil && !noStream(err) {
		return nil // no answer now; if the server is lost, onTick ends the watch
	}
	if err == nil && info.Created.Equal(w.created) && info.State.LastSeq >= w.last {
		return nil
	}
	w.bucket.forget(w.stream)
	return errReplaced
}
