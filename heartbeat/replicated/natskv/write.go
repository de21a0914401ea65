package natskv

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// write writes a message over the revision old; zero means that the subject has no message.
// It sends the message again only if a server reports that no stream received it. So the
// message is never written twice.
func (b *bucket) write(ctx context.Context, m *nats.Msg, old uint64) (revision uint64, err error) {
	js, err := b.api()
	if err != nil {
		return 0, err
	}
	err = b.withStream(ctx, true, func(s jetstream.Stream) error {
		b.setMarkerTTL(m, s.CachedInfo().Config)
		revision, err = b.publish(ctx, js, m, old)
		return err
	})
	if err == nil {
		b.noteRevision(revision)
	}
	return revision, err
}

// publish sends a message, as the function publish does. If a permission is missing, the
// error names it.
func (b *bucket) publish(ctx context.Context, js publisher, m *nats.Msg, old uint64) (uint64, error) {
	return permitted(ctx, b.store.conn, m.Subject, func(ctx context.Context) (uint64, error) { return publish(ctx, js, m, old) })
}

// publish sends a message. It sends the message again only while the leader of a replicated
// stream refuses it because another write of the subject is under way. That other write may
// be the caller's last one, which the leader has acknowledged but not yet finished. A refused
// message was not written. As soon as the other write is finished, the leader can check the
// revision.
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

// remove writes a deletion marker over a revision, in the format of all key-value clients.
func (b *bucket) remove(ctx context.Context, subject string, old uint64) error {
	_, err := b.write(ctx, &nats.Msg{Subject: subject, Header: nats.Header{operation: {"DEL"}}}, old)
	return err
}

// setMarkerTTL gives a deletion marker a TTL if the marker may expire and the stream allows
// TTLs. Otherwise it removes the TTL, which an earlier try on another stream may have set.
func (b *bucket) setMarkerTTL(m *nats.Msg, cfg jetstream.StreamConfig) {
	if !deletion(m.Header) {
		return
	}
	if b.markersMayExpire(cfg) && cfg.AllowMsgTTL {
		m.Header.Set(jetstream.MsgTTLHeader, b.markerLife.String())
	} else {
		m.Header.Del(jetstream.MsgTTLHeader)
	}
}

// create writes a message under a subject that has none, or only a deletion marker. If the
// marker expires between the first write and the write over the marker, both are refused. So
// create tries twice.
func (b *bucket) create(ctx context.Context, m *nats.Msg) (uint64, error) {
	if b.volatile {
		if err := b.verifyIfOld(ctx); err != nil {
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
