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

// A stream in memory that all its nodes have lost begins anew with the number that it
// was made with, and nobody is told. A member's record would then get a revision that an
// earlier one had; and whoever has not noticed yet, and takes the member for dead since
// that earlier one, could bury it alive.
//
// So a stream has a mark, a message with a random text, and whoever uses it remembers
// that. When its connection was lost, which it is when all nodes restart, and before it
// makes a key, it looks whether the mark is still there. If not, and the stream is no new
// one that begins above all revisions it has seen, it replaces it by one that does.
//
// First numbers come from the clock, in microseconds; a stream writes less than one
// message in each. So who makes a stream without having seen its predecessor does not
// repeat its numbers either.

// goodFor is how long a look at the mark is good for while the connection stands.
const goodFor = time.Second

// streamIdentity is what a process knows of the stream that it uses.
type streamIdentity struct {
	id         string    // the text of its identity message; empty: not seen yet
	connection uint64    // in which life of the connection it was verified
	at         time.Time // and when
}

// firstNumber returns the number that a stream of the bucket begins with if it is made
// now: above all that this process has seen.
func (b *bucket) firstNumber(now time.Time) uint64 {
	return max(uint64(now.UnixMicro()), b.highest.Load()+1)
}

// recent verifies the bucket's stream if nobody has for a while. Calls that make no key go
// on with it meanwhile.
func (b *bucket) recent(ctx context.Context) error {
	fresh := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.bound == nil || time.Since(b.identity.at) < goodFor // if there is none, bind does it
	}
	if fresh() {
		return nil
	}
	if err := b.lockBinding(ctx); err != nil {
		return err
	}
	defer b.unlockBinding()
	if fresh() {
		return nil // somebody else was quicker
	}
	s := b.current()
	if s == nil {
		return nil
	}
	s, err := b.verify(ctx, s)
	if noStream(err) {
		b.forget(b.current())
		return nil // bind finds it, or makes it anew
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound = s
	return nil
}

// verify makes sure that the stream is the one that this process knows, or one whose
// numbers are above those of all before it. It is called with binding taken.
func (b *bucket) verify(ctx context.Context, s jetstream.Stream) (jetstream.Stream, error) {
	now := streamIdentity{connection: b.store.conn.Stats().Reconnects, at: time.Now()}
	mark, err := b.newest(ctx, s, b.identitySubject())
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	known := b.identity.id
	b.mu.Unlock()
	if known != "" && (mark == nil || string(mark.Data) != known) {
		info, err := b.info(ctx, s)
		if err != nil {
			return nil, err
		}
		if info.Config.FirstSeq <= b.highest.Load() {
			if s, err = b.replace(ctx, info.Config); err != nil {
				return nil, err
			}
			mark = nil
		}
	}
	if now.id, err = b.identify(ctx, s, mark); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identity = now
	return s, nil
}

func (b *bucket) identitySubject() string { return b.prefix + "=mark" }

// identify returns a stream's mark, and marks one that has none.
func (b *bucket) identify(ctx context.Context, s jetstream.Stream, mark *jetstream.RawStreamMsg) (string, error) {
	js, err := b.api()
	if err != nil {
		return "", err
	}
	for pause := firstPause; mark == nil; pause = min(2*pause, lastPause) {
		text := nuid.Next()
		m := &nats.Msg{Subject: b.identitySubject(), Header: nats.Header{}, Data: []byte(text)}
		bounded, cancel := context.WithTimeout(ctx, firstTry)
		_, err := b.publish(bounded, js, m, 0)
		cancel()
		if err == nil {
			return text, nil
		}
		if errors.As(err, new(*rightError)) {
			return "", err
		}
		// Somebody else may have marked it, or this has, and the answer was lost.
		if mark, err = b.newest(ctx, s, b.identitySubject()); err != nil {
			return "", err
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
	}
	return string(mark.Data), nil
}

// replace makes the stream anew, as it was, but for its numbers. What others have
// written since it was lost is lost once more; they notice as they did before.
//
// To purge the empty stream up to a number would leave that number to the next message,
// too, and be gentler. But when the purge meets a write that is under way, nats-server
// 2.15.2 never clears that away, and refuses every later write of the key as a conflict.
func (b *bucket) replace(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	b.store.log.Warn("the members' records were lost, as when all nodes restart that had them in memory; "+
		"every member takes its shards afresh", zap.String("bucket", b.name))
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
	cfg.AllowDirect = false // somebody may have switched it on since the stream was adopted
	return b.make(ctx, js, cfg)
}
