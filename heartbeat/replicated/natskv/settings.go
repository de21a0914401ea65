package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// minValue is the least that a bucket and a connection have to take at once: the
// document of a thousand members and ten thousand shards is half of that.
const minValue = 128 << 10

// settings is what the bucket's stream is made with: what any client of buckets would
// make, but for AllowDirect, for the number of the first message, and for markers of
// deletion that expire. A server before 2.11 does not know of the latter, and leaves it out.
func (b *bucket) settings() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: b.stream, Description: b.description, Subjects: []string{b.prefix + ">"},
		Storage: b.storage, Replicas: b.replicas, FirstSeq: b.firstNumber(time.Now()),
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: b.maxConsumers,
		Discard: jetstream.DiscardNew, AllowRollup: true, DenyDelete: true, AllowDirect: false,
		AllowMsgTTL: b.markerLife > 0 && b.storage == jetstream.MemoryStorage,
	}
}

// recordWatches is how many watches of records, of all groups together, a bucket takes that
// this client makes: one for each of the first eight members of a group, of the first three
// in a large one. Where a stream does not say, the server's default counts, which is 1,000.
const recordWatches = 100_000

// explainLimit explains why a watch was refused, if the bucket has no place for another one. That
// lasts until an operator raises the limit.
func (b *bucket) explainLimit(err error) error {
	if !hasCode(err, codeMaxConsumers) {
		return err
	}
	return finalError{fmt.Errorf("the stream %s has no place for another watch; raise its limit (nats stream edit %[1]s "+
		"--max-consumers=%d), or that of its account: %w", b.stream, recordWatches, err)}
}

// markersMayGo reports whether a stream may lose its markers of deletion without anything
// that was deleted coming back. In a history that is the version before. And on disk it
// is the version which the marker has replaced: nats-server 2.15.2 leaves that in the file,
// and when it was killed, and the marker has expired, it takes that for the newest.
func (b *bucket) markersMayGo(cfg jetstream.StreamConfig) bool {
	return b.markerLife > 0 && cfg.MaxMsgsPerSubject == 1 && cfg.Storage == jetstream.MemoryStorage
}

// open finds the bucket's stream, or makes it for a write.
func (b *bucket) open(ctx context.Context, write bool) (jetstream.Stream, error) {
	js, err := b.api()
	if err != nil {
		return nil, err
	}
	if max := b.store.conn.MaxPayload(); max < minValue {
		return nil, fmt.Errorf("the server takes messages of %d bytes; it must be %d (max_payload)", max, minValue)
	}
	s, err := b.find(ctx, js)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !write {
			return nil, errNoBucket
		}
		return b.make(ctx, js, b.settings())
	}
	if err != nil {
		return nil, err
	}
	return b.adopt(ctx, js, s)
}

func (b *bucket) find(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	return queryAPI(ctx, b, "STREAM.INFO."+b.stream, func(ctx context.Context) (jetstream.Stream, error) {
		return js.Stream(ctx, b.stream)
	})
}

// make makes the stream, or finds the one that somebody else has made meanwhile.
func (b *bucket) make(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := queryAPI(ctx, b, "STREAM.CREATE."+b.stream, func(ctx context.Context) (jetstream.Stream, error) {
		return js.CreateStream(ctx, cfg)
	})
	if hasCode(err, codeMaxConsumers) && cfg.MaxConsumers > 0 { // the account's limit is lower, and counts
		cfg.MaxConsumers = -1
		return b.make(ctx, js, cfg)
	}
	if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return s, err
	}
	if s, err = b.find(ctx, js); err != nil {
		return nil, err
	}
	return b.adopt(ctx, js, s)
}

// adopt takes a stream that is there as it is, if it can serve; but for AllowDirect,
// which is switched off, and AllowMsgTTL, which is switched on for markers that may go.
// What it says of itself afterwards is what its handle goes by.
func (b *bucket) adopt(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) (jetstream.Stream, error) {
	cfg := s.CachedInfo().Config
	if err := b.checkFit(cfg); err != nil {
		return nil, err
	}
	b.warnOfDifferences(cfg)
	if !cfg.AllowDirect {
		return b.letExpire(ctx, js, s), nil
	}
	cfg.AllowDirect = false
	s, err := b.update(ctx, js, cfg)
	if err != nil {
		return nil, fmt.Errorf("AllowDirect cannot be set to false, without which reads are stale: %w", err)
	}
	if s.CachedInfo().Config.AllowDirect {
		return nil, errors.New("AllowDirect stays true, and reads would be stale")
	}
	return b.letExpire(ctx, js, s), nil
}

func (b *bucket) update(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	return permitted(ctx, b.store.conn, "$JS.API.STREAM.UPDATE."+b.stream, func(ctx context.Context) (jetstream.Stream, error) {
		return js.UpdateStream(ctx, cfg)
	})
}

// letExpire lets single messages of the stream expire, if markers may go. Where that
// cannot be had, because the servers are older or the account may not, markers stay: one of
// a few hundred bytes for each member that ever was.
func (b *bucket) letExpire(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) jetstream.Stream {
	cfg := s.CachedInfo().Config
	if !b.markersMayGo(cfg) || cfg.AllowMsgTTL || b.noMessageTTL {
		return s
	}
	cfg.AllowMsgTTL = true
	bounded, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	updated, err := b.update(bounded, js, cfg)
	if err == nil && updated.CachedInfo().Config.AllowMsgTTL {
		return updated
	}
	b.noMessageTTL = true
	b.store.log.Info("AllowMsgTTL cannot be switched on; a marker stays of each member that is gone",
		zap.String("bucket", b.name), zap.Error(err))
	return s
}

// checkFit says why a stream cannot keep a group; nil: it can.
func (b *bucket) checkFit(cfg jetstream.StreamConfig) error {
	var faults []error
	fault := func(faulty bool, format string, args ...any) {
		if faulty {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(cfg.Mirror != nil, "it is a mirror, which takes no writes")
	fault(cfg.Mirror == nil && !slices.Contains(cfg.Subjects, b.prefix+">"), "its subjects are %q; %q is not among them",
		cfg.Subjects, b.prefix+">")
	fault(cfg.Sealed, "it is sealed")
	fault(cfg.NoAck, "it acknowledges nothing (NoAck)")
	fault(cfg.MaxAge > 0, "its values expire after %v; a group's must not", cfg.MaxAge)
	fault(cfg.Retention != jetstream.LimitsPolicy, "its retention is %s; it must be %s", cfg.Retention, jetstream.LimitsPolicy)
	fault(cfg.MaxMsgSize >= 0 && cfg.MaxMsgSize < minValue, "its values have at most %d bytes; it must be %d",
		cfg.MaxMsgSize, minValue)
	fault(cfg.DiscardNewPerSubject && cfg.Discard == jetstream.DiscardNew, "it refuses to overwrite a value (DiscardNewPerSubject)")
	fault(cfg.AllowMsgCounter, "its values are counters (AllowMsgCounter)")
	fault(cfg.PersistMode != jetstream.DefaultPersistMode,
		"it acknowledges what it has not written, whatever sync_interval says (PersistMode %s)", cfg.PersistMode)
	fault(!b.volatile && cfg.Storage == jetstream.MemoryStorage, "it is in memory, where groups and checkpoints do not last")
	fault(cfg.Discard != jetstream.DiscardNew && (cfg.MaxMsgs > 0 || cfg.MaxBytes > 0),
		"it drops old values when it is full")
	return errors.Join(faults...)
}

// warnOfDifferences warns, once, of a stream that is not what the Config asks for.
func (b *bucket) warnOfDifferences(cfg jetstream.StreamConfig) {
	b.mu.Lock()
	warned := b.warned
	b.warned = true
	b.mu.Unlock()
	if warned || cfg.Replicas == b.replicas && cfg.Storage == b.storage {
		return
	}
	b.store.log.Warn("the bucket exists with other settings, and is used as it is", zap.String("bucket", b.name),
		zap.Int("replicas", cfg.Replicas), zap.Int("replicas_wanted", b.replicas),
		zap.Stringer("storage", cfg.Storage), zap.Stringer("storage_wanted", b.storage))
}
