package natskv

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"go.uber.org/zap"
)

// If all nodes that have a stream in memory restart, its messages are lost, and its numbers
// start again at the first one. No client is notified. A member's record could then get a
// revision that an earlier record of the member had. A process that saw the earlier record
// expire, and has not noticed the loss, would then write a tombstone over the new record of a
// running member.
//
// So each stream has an identity: a message with a random text. Every process that uses the
// stream remembers the text. It checks the identity before it creates a key, and after its
// connection was lost, because the restart of all nodes closes every connection. If the
// identity has changed, the stream must start above all revisions that the process has seen.
// If it does not, the process replaces the stream by one that does.
//
// The first number comes from the clock, in microseconds, and a stream writes less than one
// message a microsecond. So even a process that has not seen an earlier stream does not
// repeat its numbers.

// identityValidFor is how long a check of the identity is valid while the connection lasts.
const identityValidFor = time.Second

// streamIdentity is what a process knows about the stream that it uses.
type streamIdentity struct {
	id         string    // the text of its identity message; empty: not seen yet
	connection uint64    // the number of reconnects when it was verified
	at         time.Time // when it was verified
}

// firstNumber returns the first number for a stream that is created now. It is above all
// numbers that this process has seen.
func (b *bucket) firstNumber(now time.Time) uint64 {
	return max(uint64(now.UnixMicro()), b.highest.Load()+1)
}

// verifyIfOld verifies the stream if the last check is too old. Meanwhile, calls that create no
// key may use the stream.
func (b *bucket) verifyIfOld(ctx context.Context) error {
	fresh := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.bound == nil || time.Since(b.identity.at) < identityValidFor // without a stream, bind verifies
	}
	if fresh() {
		return nil
	}
	if err := b.lockBinding(ctx); err != nil {
		return err
	}
	defer b.unlockBinding()
	if fresh() {
		return nil // another goroutine has verified it
	}
	s := b.current()
	if s == nil {
		return nil
	}
	s, err := b.verify(ctx, s)
	if noStream(err) {
		b.forget(b.current())
		return nil // bind finds the stream or creates it
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = s
	return nil
}

// verify makes sure that the stream is the one that this process knows, or starts above all
// revisions that this process has seen. The caller has locked the binding.
func (b *bucket) verify(ctx context.Context, s jetstream.Stream) (jetstream.Stream, error) {
	now := streamIdentity{connection: b.store.conn.Stats().Reconnects, at: time.Now()}
	found, err := b.newest(ctx, s, b.identitySubject())
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	known := b.identity.id
	b.mu.Unlock()
	if known != "" && (found == nil || string(found.Data) != known) {
		info, err := b.info(ctx, s)
		if err != nil {
			return nil, err
		}
		if info.Config.FirstSeq <= b.highest.Load() {
			if s, err = b.replace(ctx, info.Config); err != nil {
				return nil, err
			}
			found = nil
		}
	}
	if now.id, err = b.identify(ctx, s, found); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identity = now
	return s, nil
}

func (b *bucket) identitySubject() string { return b.prefix + "=mark" }

// identify returns the identity of a stream. It writes one if the stream has none.
func (b *bucket) identify(ctx context.Context, s jetstream.Stream, found *jetstream.RawStreamMsg) (string, error) {
	js, err := b.api()
	if err != nil {
		return "", err
	}
	for pause := firstPause; found == nil; pause = min(2*pause, lastPause) {
		text := nuid.Next()
		m := &nats.Msg{Subject: b.identitySubject(), Header: nats.Header{}, Data: []byte(text)}
		bounded, cancel := context.WithTimeout(ctx, firstTry)
		_, err := b.publish(bounded, js, m, 0)
		cancel()
		if err == nil {
			return text, nil
		}
		if errors.As(err, new(*permissionError)) {
			return "", err
		}
		// Another process may have written an identity. Or this one has, and the answer was lost.
		if found, err = b.newest(ctx, s, b.identitySubject()); err != nil {
			return "", err
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
	}
	return string(found.Data), nil
}

// replace creates the stream again with the same settings but higher numbers. The writes of
// other processes since the loss are lost too. Those processes notice the new loss in the same
// way as the first one.
//
// A purge of the empty stream up to a number would also raise the next number, without a new
// stream. But if a write is under way during the purge, nats-server 2.15.2 never finishes
// that write, and refuses every later write of its key as a conflict.
func (b *bucket) replace(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	b.store.log.Warn("the records of all members are lost, probably because all nodes restarted; "+
		"every member receives its shards anew", zap.String("bucket", b.name))
	js, err := b.api()
	if err != nil {
		return nil, err
	}
	_, err = permitted(ctx, b.store.conn, "$JS.API.STREAM.DELETE."+b.stream, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, js.DeleteStream(ctx, b.stream)
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, err
	}
	cfg.FirstSeq = b.firstNumber(time.Now())
	cfg.AllowDirect = false // it may have been switched on since the stream was adopted
	return b.make(ctx, js, cfg)
}
