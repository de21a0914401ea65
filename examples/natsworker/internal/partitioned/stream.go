// Package partitioned is what the programs of this folder agree on: a JetStream stream
// with a subject for each partition, and the records in it.
package partitioned

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/shardset"
)

// MaxPartitions bounds the partitions of a stream.
const MaxPartitions = 100_000

const (
	// Retry is for how long natsput puts a record again whose acknowledgement got lost.
	Retry = time.Minute
	// dedupe is how long the servers recognise such a record, in a stream that Ensure
	// makes; minDedupe is the least that does: the last try takes some seconds, too.
	dedupe    = 2 * time.Minute
	minDedupe = Retry + 10*time.Second
)

// Stream is a stream that is divided by subject: partition 7 is what was published under
// <Prefix>.7.
type Stream struct {
	Name   string
	Prefix string
	// Partitions is their number. They are numbered from zero.
	Partitions int
	// Replicas is how many servers keep a stream that Ensure makes.
	Replicas int
}

// DefaultPrefix is the prefix that goes with a stream's name.
func DefaultPrefix(name string) string { return strings.ToLower(name) }

// Subject returns the subject of a partition.
func (s Stream) Subject(partition int) string { return s.Prefix + "." + strconv.Itoa(partition) }

// All returns the pattern of all subjects.
func (s Stream) All() string { return s.Prefix + ".*" }

// Log returns the name under which the stream's partitions are shards. A stream may be
// called what a log may not; what does not fit is replaced, and the name gets a part of
// its hash, so that no two streams become one log.
func (s Stream) Log() string {
	if (shardset.ID{Log: s.Name}).Validate() == nil && s.Name != "" {
		return s.Name
	}
	const kept = 100
	plain := func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}
	name := "s" + strings.Map(plain, s.Name)
	sum := sha256.Sum256([]byte(s.Name))
	return name[:min(len(name), kept)] + "-" + hex.EncodeToString(sum[:4])
}

// Shards returns the shards: one for each partition.
func (s Stream) Shards() []shardset.Shard { return shardset.Range(s.Log(), s.Partitions) }

// Faults returns what is wrong with it, in the words of the flags.
func (s Stream) Faults() (faults []string) {
	if s.Name == "" || strings.ContainsAny(s.Name, " \t\r\n.*>/\\") {
		faults = append(faults, fmt.Sprintf("-stream is %q; it must be a name without spaces, dots, asterisks, slashes and >", s.Name))
	}
	if !validPrefix(s.Prefix) {
		faults = append(faults, fmt.Sprintf("-prefix is %q; it must be a subject without spaces and wildcards", s.Prefix))
	}
	if s.Partitions < 1 || s.Partitions > MaxPartitions {
		faults = append(faults, fmt.Sprintf("-partitions is %d; it must be between 1 and %d", s.Partitions, MaxPartitions))
	}
	if s.Replicas < 0 || s.Replicas > 5 || s.Replicas > 0 && s.Replicas%2 == 0 {
		faults = append(faults, fmt.Sprintf("-replicas is %d; it must be 1, 3 or 5, or 0", s.Replicas))
	}
	return faults
}

func validPrefix(s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || strings.ContainsAny(token, " \t\r\n*>") {
			return false
		}
	}
	return true
}

// Ensure makes the stream if there is none, and checks one that is there.
func (s Stream) Ensure(ctx context.Context, js jetstream.JetStream) error {
	for {
		there, err := js.Stream(ctx, s.Name)
		if err == nil {
			return s.Suits(there.CachedInfo().Config)
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: s.Name, Subjects: []string{s.All()}, Replicas: s.Replicas,
			Storage: jetstream.FileStorage, AllowDirect: true, Duplicates: dedupe,
		})
		if err == nil {
			return nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // somebody was faster
			return fmt.Errorf("make the stream %s: %w", s.Name, err)
		}
	}
}

// UnsuitedError says why a stream cannot be used.
type UnsuitedError struct {
	Stream string
	Faults []string
}

func (e *UnsuitedError) Error() string {
	return fmt.Sprintf("the stream %s does not suit: %s", e.Stream, strings.Join(e.Faults, "; "))
}

// Suits returns an *UnsuitedError with everything that is in the way, or nil.
func (s Stream) Suits(cfg jetstream.StreamConfig) error {
	faults := s.unreadable(cfg)
	if cfg.Duplicates < minDedupe {
		faults = append(faults, fmt.Sprintf("it recognises a message that is put again for %v only (duplicate_window); it must be at least %v", cfg.Duplicates, minDedupe))
	}
	return s.unsuited(faults)
}

// Readable is Suits for who only reads: how long the servers recognise what is put again
// is no matter then.
func (s Stream) Readable(cfg jetstream.StreamConfig) error { return s.unsuited(s.unreadable(cfg)) }

func (s Stream) unsuited(faults []string) error {
	if len(faults) > 0 {
		return &UnsuitedError{Stream: s.Name, Faults: faults}
	}
	return nil
}

// unreadable returns why the stream cannot be read by sequence.
func (s Stream) unreadable(cfg jetstream.StreamConfig) (faults []string) {
	if cfg.Retention != jetstream.LimitsPolicy {
		faults = append(faults, fmt.Sprintf("its retention is %q: it deletes what others have to read; it must be limits", cfg.Retention))
	}
	if !cfg.AllowDirect {
		faults = append(faults, "it does not allow direct gets (allow_direct)")
	}
	if cfg.MaxMsgsPerSubject > 0 {
		faults = append(faults, "it limits the messages of a subject: nobody can tell what that deleted in the middle of the stream")
	}
	if cfg.AllowMsgTTL {
		faults = append(faults, "it lets messages have a life of their own (allow_msg_ttl): they vanish in the middle of the stream")
	}
	if cfg.AllowRollup {
		faults = append(faults, "it allows rollups (allow_rollup_hdrs): one message deletes all before it, those too that nobody has read")
	}
	covers := func(pattern string) bool { return covers(pattern, s.All()) }
	if !slices.ContainsFunc(cfg.Subjects, covers) {
		faults = append(faults, fmt.Sprintf("its subjects %q do not include %s", cfg.Subjects, s.All()))
	}
	return faults
}

// covers reports whether a pattern matches all that another one does.
func covers(pattern, other string) bool {
	tokens, wanted := strings.Split(pattern, "."), strings.Split(other, ".")
	for i, token := range tokens {
		switch {
		case token == ">":
			return len(wanted) > i
		case i >= len(wanted) || wanted[i] == ">":
			return false
		case token != "*" && token != wanted[i]:
			return false
		}
	}
	return len(tokens) == len(wanted)
}
