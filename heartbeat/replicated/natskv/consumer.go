package natskv

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// forgetAfter is how long the server keeps a consumer without a subscriber.
const forgetAfter = 10 * time.Second

// watch is one running watch of records: a consumer of the bucket's stream, and what it has
// delivered. Only the goroutine of Watch uses the fields, except for the channels.
type watch struct {
	store     *store
	kind      replicated.Kind
	sink      func(replicated.Event)
	bucket    *bucket
	heartbeat time.Duration

	stream   jetstream.Stream
	created  time.Time // when the stream was made
	consumer string    // empty: not made yet
	filter   string    // the subjects of the kind

	subscription *nats.Subscription
	messages     chan *nats.Msg   // from the subscription's goroutine
	changes      chan nats.Status // of the connection; any change ends the watch
	ended        chan struct{}    // closed when the watch takes no more messages

	missed    int    // intervals without a message
	behind    int    // idle heartbeats in a row at which a key of the leader was still missing
	intervals int    // all intervals
	delivered uint64 // the number of messages from the consumer
	last      uint64 // the revision of the last one
	caughtUp  bool
	// missing are the subjects that existed when the watch began and that it has not
	// reported yet. If a missing key is overwritten, its newer version arrives under the
	// same subject.
	missing map[string]uint64
	// listSubjects asks the leader which subjects of the kind exist now.
	listSubjects func(context.Context) (map[string]uint64, error)
}

// open subscribes, and creates the consumer.
func (w *watch) open(ctx context.Context) error {
	w.changes = w.store.conn.StatusChanged()
	inbox := w.store.conn.NewInbox()
	sub, err := w.store.conn.Subscribe(inbox, func(m *nats.Msg) {
		select {
		case w.messages <- m: // further messages wait in the subscription
		case <-w.ended:
		}
	})
	if err != nil {
		return err
	}
	w.subscription = sub

	w.bucket, w.filter = w.store.bucketOf(w.kind)
	w.filter += ">"
	if err := w.awaitBucket(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	w.listSubjects = func(ctx context.Context) (map[string]uint64, error) {
		return w.bucket.subjects(ctx, w.stream, w.filter)
	}
	// One name for all retries: with two names, two consumers would deliver to the inbox.
	w.consumer = nuid.Next()
	return w.bucket.withStream(ctx, false, func(s jetstream.Stream) error { return w.consume(ctx, s, inbox) })
}

// awaitBucket waits until there is a bucket. A watch does not create one.
func (w *watch) awaitBucket(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		bounded, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := w.bucket.bind(bounded, false)
		cancel()
		switch {
		case errors.Is(err, errNoBucket):
			w.catchUp()
		case !noStream(err):
			return err
		}
		select {
		case <-w.changes:
			return errDisconnected
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// consume creates the consumer, and notes which keys it must deliver first.
func (w *watch) consume(ctx context.Context, s jetstream.Stream, inbox string) error {
	js, err := w.bucket.api()
	if err != nil {
		return err
	}
	cfg := jetstream.ConsumerConfig{
		Name: w.consumer, DeliverSubject: inbox, FilterSubject: w.filter,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		IdleHeartbeat: w.heartbeat, InactiveThreshold: forgetAfter, MemoryStorage: true, Replicas: 1,
	}
	w.stream = s
	_, err = queryAPI(ctx, w.bucket, "CONSUMER.CREATE."+w.bucket.stream+".", func(ctx context.Context) (jetstream.PushConsumer, error) {
		return js.CreatePushConsumer(ctx, w.bucket.stream, cfg)
	})
	if err != nil {
		return w.bucket.explainLimit(err)
	}
	w.created = s.CachedInfo().Created
	return w.noteMissing(ctx)
}

// noteMissing notes which keys exist, so that the watch knows when it has reported all of
// them. Counting messages would be wrong, because a key that is overwritten meanwhile is
// delivered later. If the consumer has no messages, keys may still exist, because its node
// may be behind the leader. The number of pending messages, which comes with each message,
// is not exact while other processes write.
func (w *watch) noteMissing(ctx context.Context) (err error) {
	w.missing, err = w.listSubjects(ctx)
	return err
}

// close ends the subscription with its goroutine, and deletes the consumer.
func (w *watch) close() {
	close(w.ended)
	if w.changes != nil {
		w.store.conn.RemoveStatusListener(w.changes)
	}
	if w.subscription == nil {
		return
	}
	// It fails only if the connection is closed, which also ends the subscription.
	_ = w.subscription.Unsubscribe()
	if w.consumer != "" && w.store.conn.IsConnected() {
		// There is no reply. If the request is lost, the server deletes the consumer after forgetAfter.
		_ = w.store.conn.Publish("$JS.API.CONSUMER.DELETE."+w.bucket.stream+"."+w.consumer, nil)
	}
}
