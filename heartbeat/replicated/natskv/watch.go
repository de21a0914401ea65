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

// Why a watch breaks, beside its context and what a server says.
var (
	errDisconnected = errors.New("the connection was lost, and with it what was told meanwhile")
	errGap          = errors.New("something that was told has not arrived")
	errSilent       = errors.New("the server has fallen silent")
	errReplaced     = errors.New("the bucket is another, or has gone back")
	errBehind       = errors.New("the watch's node is behind the bucket's leader")
)

// Watch follows one kind of key. That of the document is in hints.go. That of the records
// goes through a consumer of its own, and breaks at the first sign that something is
// missing: who watches anew is told everything that is there. The server says in each
// pause that it is still there, and up to which message. So a watch that hears nothing
// knows whether nothing happens.
//
// The consumer is on one node of the bucket's, which may be behind the leader. What it
// tells may then be older than what Get returns, the versions before the zero Event too;
// but no key is left out of those: the leader says which there are.
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

// watch makes a watch, and runs it.
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

// A beat is the time between two signs of life of a silent watch's server: an eighth of
// the TTL, within bounds. The server is silent, or behind, after three, and the bucket is
// looked at after four.
const (
	minHeartbeat = 500 * time.Millisecond
	maxHeartbeat = 5 * time.Second

	heartbeatsToSilence = 3
	heartbeatsToBehind  = 3
	heartbeatsToCheck   = 4
)

func (s *store) idleHeartbeat() time.Duration { return min(max(s.ttl/8, minHeartbeat), maxHeartbeat) }

// run tells the sink what comes, until the watch ends.
func (w *watch) run(ctx context.Context) error {
	w.catchUp()
	ticks := time.NewTicker(w.heartbeat)
	defer ticks.Stop()
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
		case <-ticks.C:
			if err := w.onTick(ctx); err != nil {
				return err
			}
		case m := <-w.messages:
			w.silent = 0
			if err := w.onMessage(ctx, m); err != nil {
				return err
			}
		}
	}
}

// onTick notes that a beat has passed. A process that was stopped for a while notes one, not
// all that it has missed: what came meanwhile is still on its way through it.
func (w *watch) onTick(ctx context.Context) error {
	if w.silent++; w.silent >= heartbeatsToSilence {
		return errSilent
	}
	if w.intervals++; w.intervals%heartbeatsToCheck != 0 {
		return nil
	}
	return w.check(ctx)
}

// onMessage takes one message of the consumer: a version of a key, or a sign of life.
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
	// The number of what is pending, which comes with each message, is not exact while
	// others write.
	delete(w.missing, m.Subject)
	w.catchUp()
	return nil
}

// report tells the sink of a version, unless the key is none that a store writes.
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

// catchUp tells the sink that it knows all there was, once it does.
func (w *watch) catchUp() {
	if !w.caughtUp && len(w.missing) == 0 {
		w.caughtUp = true
		w.sink(replicated.Event{})
	}
}

// onStatus takes a sign of life: the server had nothing to send for a beat, and says
// up to which of its messages it has sent.
func (w *watch) onStatus(ctx context.Context, m *nats.Msg, status string) error {
	if status != "100" {
		return fmt.Errorf("the server says %q %s", m.Header.Get("Description"), status)
	}
	sent, err := strconv.ParseUint(m.Header.Get("Nats-Last-Consumer"), 10, 64)
	if err != nil {
		return nil // it is about the flow, or of a kind to come
	}
	if sent != w.delivered {
		return errGap
	}
	return w.checkMissing(ctx)
}

// checkMissing asks the leader what it still has of what is missing: a key that was there may have
// gone without a trace. That the consumer's node has no more of it says nothing, for it
// may be behind. If it stays so, the watch breaks: the next one may be on another node.
func (w *watch) checkMissing(ctx context.Context) error {
	if len(w.missing) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, w.heartbeat)
	defer cancel()
	there, err := w.listSubjects(bounded)
	if err != nil {
		return nil // the next sign of life is another occasion
	}
	maps.DeleteFunc(w.missing, func(subject string, _ uint64) bool {
		_, still := there[subject]
		return !still
	})
	w.catchUp()
	if len(w.missing) == 0 {
		return nil
	}
	if w.behind++; w.behind >= heartbeatsToBehind {
		return errBehind
	}
	return nil
}

// check asks the bucket's leader whether it is the stream that the watch began with. The
// server at the other end of the watch need not know that it is not.
func (w *watch) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.heartbeat)
	defer cancel()
	info, err := w.bucket.info(ctx, w.stream)
	if err != nil && !noStream(err) {
		return nil // it cannot be asked just now; silence is another matter
	}
	if err == nil && info.Created.Equal(w.created) && info.State.LastSeq >= w.last {
		return nil
	}
	w.bucket.forget(w.stream)
	return errReplaced
}
