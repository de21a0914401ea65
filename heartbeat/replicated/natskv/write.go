package natskv

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// write writes a message over the revision old, zero for none. It sends the message once,
// and again only if no server has taken it. That is no second write: the first server on
// the way said that it had passed the message to none.
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

// publish publishes as the function publish does, and names a missing permission.
func (b *bucket) publish(ctx context.Context, js publisher, m *nats.Msg, old uint64) (uint64, error) {
	return permitted(ctx, b.store.conn, m.Subject, func(ctx context.Context) (uint64, error) { return publish(ctx, js, m, old) })
}

// publish sends a message once. It sends it again while the leader of a replicated stream
// refuses it because another write of the subject is under way. That may be the caller's
// own last write, which the leader has acknowledged and not yet finished. Nothing was
// written then, and soon the leader says whether the revision fits.
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

// publisher is the part of jetstream.JetStream that publish calls.
type publisher interface {
	PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error)
}

// The pauses while publish waits for another write to finish: 16 ms in total.
const (
	firstWait = time.Millisecond / 4
	lastWait  = 8 * time.Millisecond
)

// remove writes a deletion marker over a revision, as every client of a bucket does.
func (b *bucket) remove(ctx context.Context, subject string, old uint64) error {
	_, err := b.write(ctx, &nats.Msg{Subject: subject, Header: nats.Header{operation: {"DEL"}}}, old)
	return err
}

// expiring gives a deletion marker a TTL if it may expire and the stream allows it. The
// stream may not be the one of the last try.
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

// create writes a message under a subject that has none, or only a deletion marker. A
// marker may expire at any moment: then the first write meets the marker, and the second,
// over the marker, meets nothing. So create tries twice.
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
