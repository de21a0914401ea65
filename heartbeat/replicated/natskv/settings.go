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

// minValue is the smallest limit on the size of a value, in bytes, that a bucket and a
// connection may have. The document of 1,000 members and 10,000 shards takes half of it.
const minValue = 128 << 10

// settings returns the settings for a new stream. They are those of any key-value bucket,
// except for AllowDirect, the first number and AllowMsgTTL. Servers before 2.11 ignore
// AllowMsgTTL.
func (b *bucket) settings() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: b.stream, Description: b.description, Subjects: []string{b.prefix + ">"},
		Storage: b.storage, Replicas: b.replicas, FirstSeq: b.firstNumber(time.Now()),
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: b.maxConsumers,
		Discard: jetstream.DiscardNew, AllowRollup: true, DenyDelete: true, AllowDirect: false,
		AllowMsgTTL: b.markerLife > 0 && b.storage == jetstream.MemoryStorage,
	}
}

// recordWatches is the limit on consumers of a bucket that this client creates. A group needs
// eight consumers, or three if it is large: one for each process that watches the records. All
// groups of the namespace share the bucket. A stream without a limit has the server's default
// of 1,000.
const recordWatches = 100_000

// explainLimit handles the error of a stream that takes no more consumers: it adds the command
// that raises the limit. The result is final, because only an operator can raise the limit.
func (b *bucket) explainLimit(err error) error {
	if !hasCode(err, codeMaxConsumers) {
		return err
	}
	return finalError{fmt.Errorf("the stream %s allows no more consumers; raise its limit (nats stream edit %[1]s "+
		"--max-consumers=%d) or that of its account: %w", b.stream, recordWatches, err)}
}

// markersMayExpire reports whether the deletion markers of a stream may expire without making a
// deleted value visible again. With a history, the version before the marker would become
// visible. On disk, that can happen too: nats-server 2.15.2 keeps the version in its file. If
// the server is killed after the marker has expired, it takes that version for the newest.
func (b *bucket) markersMayExpire(cfg jetstream.StreamConfig) bool {
	return b.markerLife > 0 && cfg.MaxMsgsPerSubject == 1 && cfg.Storage == jetstream.MemoryStorage
}

// open finds the stream of the bucket. For a write it creates the stream if there is none.
func (b *bucket) open(ctx context.Context, write bool) (jetstream.Stream, error) {
	js, err := b.api()
	if err != nil {
		return nil, err
	}
	if max := b.store.conn.MaxPayload(); max < minValue {
		return nil, fmt.Errorf("the server's max_payload is %d bytes; it must be at least %d", max, minValue)
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

// make creates the stream, or finds the one that another process has created meanwhile.
func (b *bucket) make(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := queryAPI(ctx, b, "STREAM.CREATE."+b.stream, func(ctx context.Context) (jetstream.Stream, error) {
		return js.CreateStream(ctx, cfg)
	})
	if hasCode(err, codeMaxConsumers) && cfg.MaxConsumers > 0 { // the limit of the account is lower
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

// adopt uses an existing stream as it is, if the stream can store a group. It changes only two
// settings: AllowDirect off, and AllowMsgTTL on where markers may expire. The returned handle
// has the new settings.
func (b *bucket) adopt(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) (jetstream.Stream, error) {
	cfg := s.CachedInfo().Config
	if err := b.checkFit(cfg); err != nil {
		return nil, err
	}
	b.warnOfDifferences(cfg)
	if !cfg.AllowDirect {
		return b.allowMarkerTTL(ctx, js, s), nil
	}
	cfg.AllowDirect = false
	s, err := b.update(ctx, js, cfg)
	if err != nil {
		return nil, fmt.Errorf("AllowDirect cannot be switched off, and with it reads may be stale: %w", err)
	}
	if s.CachedInfo().Config.AllowDirect {
		return nil, errors.New("AllowDirect stays on, and with it reads may be stale")
	}
	return b.allowMarkerTTL(ctx, js, s), nil
}

func (b *bucket) update(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	return permitted(ctx, b.store.conn, "$JS.API.STREAM.UPDATE."+b.stream, func(ctx context.Context) (jetstream.Stream, error) {
		return js.UpdateStream(ctx, cfg)
	})
}

// allowMarkerTTL switches AllowMsgTTL on if markers may expire. If that fails, because the
// servers are older or the user lacks the permission, markers stay: a few hundred bytes for
// each former member.
func (b *bucket) allowMarkerTTL(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) jetstream.Stream {
	cfg := s.CachedInfo().Config
	if !b.markersMayExpire(cfg) || cfg.AllowMsgTTL || b.noMessageTTL {
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
	b.store.log.Info("AllowMsgTTL cannot be switched on; the deletion markers of former members stay",
		zap.String("bucket", b.name), zap.Error(err))
	return s
}

// checkFit returns an error that says why a stream cannot store a group.
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
	fault(cfg.MaxAge > 0, "its values expire after %v; they must not", cfg.MaxAge)
	fault(cfg.Retention != jetstream.LimitsPolicy, "its retention is %s; it must be %s", cfg.Retention, jetstream.LimitsPolicy)
	fault(cfg.MaxMsgSize >= 0 && cfg.MaxMsgSize < minValue, "its values have at most %d bytes; it must be at least %d",
		cfg.MaxMsgSize, minValue)
	fault(cfg.DiscardNewPerSubject && cfg.Discard == jetstream.DiscardNew, "it refuses to overwrite a value (DiscardNewPerSubject)")
	fault(cfg.AllowMsgCounter, "its values are counters (AllowMsgCounter)")
	fault(cfg.PersistMode != jetstream.DefaultPersistMode,
		"it acknowledges writes before it makes them, whatever sync_interval says (PersistMode %s)", cfg.PersistMode)
	fault(!b.volatile && cfg.Storage == jetstream.MemoryStorage, "it is in memory, where groups and checkpoints do not last")
	fault(cfg.Discard != jetstream.DiscardNew && (cfg.MaxMsgs > 0 || cfg.MaxBytes > 0),
		"it drops old values when it is full")
	return errors.Join(faults...)
}

// warnOfDifferences logs a warning, once, if the stream has other settings than the Config.
func (b *bucket) warnOfDifferences(cfg jetstream.StreamConfig) {
	b.mu.Lock()
	warned := b.warned
	b.warned = true
	b.mu.Unlock()
	if warned || cfg.Replicas == b.replicas && cfg.Storage == b.storage {
		return
	}
	b.store.log.Warn("the bucket has other settings than the Config, and is used as it is", zap.String("bucket", b.name),
		zap.Int("replicas", cfg.Replicas), zap.Int("replicas_wanted", b.replicas),
		zap.Stringer("storage", cfg.Storage), zap.Stringer("storage_wanted", b.storage))
}
