package natskv

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// write writes a message over the revision old, zero for none. It sends it once, and
// again only if nobody was there to take it. That is no second write: the answer came from
// the first server on the way, which sent the message on to nobody.
func (b *bucket) write(ctx context.Context, m *nats.Msg, old uint64) (revision uint64, err error) {
	js, err := b.api()
	if err != nil {
		return 0, err
	}
	err = b.withStream(ctx, true, func(s jetstream.Stream) error {
		b.expiring(m, s.CachedInfo().Config)
		revision, err = b.publish(ctx, js, m, old)
		return err
	})
	if err == nil {
		b.noteRevision(revision)
	}
	return revision, err
}

// publish is the function of that name. It names the right that a user lacks.
func (b *bucket) publish(ctx context.Context, js publisher, m *nats.Msg, old uint64) (uint64, error) {
	return permitted(ctx, b.store.conn, m.Subject, func(ctx context.Context) (uint64, error) { return publish(ctx, js, m, old) })
}

// publish sends a message once, and once more while the leader of a replicated stream
// refuses it because another write of the subject is under way: that may be the caller's
// last one, which the leader has acknowledged and not yet cleared away. Nothing was
// written then, and it soon says whether the key is at the revision or not.
func publish(ctx context.Context, js publisher, m *nats.Msg, old uint64) (uint64, error) {
	for pause := firstWait; ; pause *= 2 {
		ack, err := js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(old), jetstream.WithRetryAttempts(0))
		if err == nil {
			return ack.Sequence, nil
		}
		if !underWay(err) || pause > lastWait || sleep(ctx, pause) != nil {
			return 0, err
		}
	}
}

// publisher is what publish needs of a jetstream.JetStream.
type publisher interface {
	PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error)
}

// How long publish waits for another write to end: 16 ms in all.
const (
	firstWait = time.Millisecond / 4
	lastWait  = 8 * time.Millisecond
)

// remove writes a marker of deletion over a revision, as every client of a bucket does.
func (b *bucket) remove(ctx context.Context, subject string, old uint64) error {
	_, err := b.write(ctx, &nats.Msg{Subject: subject, Header: nats.Header{operation: {"DEL"}}}, old)
	return err
}

// expiring gives a marker of deletion its time, where it may go and the stream lets messages
// expire. The stream may be another one than at the try before.
func (b *bucket) expiring(m *nats.Msg, cfg jetstream.StreamConfig) {
	if !deletion(m.Header) {
		return
	}
	if b.markersMayGo(cfg) && cfg.AllowMsgTTL {
		m.Header.Set(jetstream.MsgTTLHeader, b.markerLife.String())
	} else {
		m.Header.Del(jetstream.MsgTTLHeader)
	}
}

// create writes a message under a subject that has none, or a marker of deletion. A marker
// may expire at any moment: between two looks at the key, then, it may be neither what
// the write over nothing met, nor what the write over the marker expected. So a key is
// looked at twice.
func (b *bucket) create(ctx context.Context, m *nats.Msg) (uint64, error) {
	if b.volatile {
		if err := b.recent(ctx); err != nil {
			return 0, err
		}
	}
	for again := true; ; again = false {
		revision, err := b.write(ctx, m, 0)
		if !isConflict(err) {
			return revision, err
		}
		there, lerr := b.last(ctx, m.Subject)
		if lerr != nil || there != nil && !deletion(nats.Header(there.Header)) {
			return 0, err // nothing was written, whatever the read says
		}
		if there != nil {
			revision, err = b.write(ctx, m, there.Sequence)
		}
		if !isConflict(err) || !again {
			return revision, err
		}
	}
}
