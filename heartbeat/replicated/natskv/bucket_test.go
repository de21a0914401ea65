package natskv_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func (f *fleet) jetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(f.connect(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// streamOf returns the configuration of a bucket's stream.
func streamOf(t testing.TB, js jetstream.JetStream, bucket string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(soon(t), "KV_"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// The first use creates the buckets, also by many processes at once. Other clients see
// ordinary buckets, except that reads go to the leaders.
func TestBucketsAreMade(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		cfg, ctx := f.config(), soon(t)
		cfg.Namespace = "made"
		var all sync.WaitGroup
		for i := range 12 {
			s, key := f.dial(t, i, cfg), record(string(rune('a'+i)))
			all.Go(func() {
				if _, err := s.Swap(ctx, document, 0, []byte("document")); err != nil && !strings.Contains(err.Error(), "revision") {
					t.Error(err)
				}
				at, err := s.Swap(ctx, key, 0, []byte("record"))
				if err != nil {
					t.Error(err)
				}
				if v, err := s.Get(ctx, key); err != nil || v.Revision != at {
					t.Errorf("%s is at %d (%v), want %d", key, v.Revision, err, at)
				}
			})
		}
		all.Wait()
		js := f.jetStream(t)
		for bucket, storage := range map[string]jetstream.StorageType{
			"G_made": jetstream.FileStorage, "M_made": jetstream.MemoryStorage,
		} {
			c := streamOf(t, js, bucket)
			if c.AllowDirect || c.Storage != storage || c.Replicas != f.replicas || c.MaxMsgsPerSubject != 1 {
				t.Errorf("bucket %s is %+v", bucket, c)
			}
		}
		kv, err := js.KeyValue(ctx, "G_made")
		if err != nil {
			t.Fatal(err)
		}
		if e, err := kv.Get(ctx, cfg.Group+".doc"); err != nil || string(e.Value()) != "document" {
			t.Errorf("another client reads %v of the document (%v)", e, err)
		}
	})
}

// An existing bucket is used as it is, with one warning. AllowDirect is switched off, also
// if it is switched on later.
func TestBucketsThatExist(t *testing.T) {
	f, ctx := alone(), soon(t)
	js := f.jetStream(t)
	cfg := f.config()
	cfg.Namespace, cfg.Replicas = "existing", 3
	core, logs := observer.New(zapcore.WarnLevel)
	cfg.Logger = zap.New(core)
	for _, bucket := range []string{"G_existing", "M_existing"} {
		kv := jetstream.KeyValueConfig{Bucket: bucket, Storage: jetstream.FileStorage, History: 5}
		if _, err := js.CreateKeyValue(ctx, kv); err != nil {
			t.Fatal(err)
		}
	}
	s := f.dial(t, 0, cfg)
	swap(t, s, document, 0, "document")
	swap(t, s, record("a"), 0, "record")
	for _, bucket := range []string{"G_existing", "M_existing"} {
		if c := streamOf(t, js, bucket); c.AllowDirect || c.Replicas != 1 || c.MaxMsgsPerSubject != 5 {
			t.Errorf("bucket %s is now %+v", bucket, c)
		}
	}
	swap(t, f.dial(t, 0, cfg), record("b"), 0, "record")
	if n := logs.FilterField(zap.String("bucket", "M_existing")).Len(); n != 2 {
		t.Errorf("two stores have warned %d times of one bucket, want each once", n)
	}
	c := streamOf(t, js, "M_existing")
	c.AllowDirect = true
	if _, err := js.UpdateStream(ctx, c); err != nil {
		t.Fatal(err)
	}
	watch(t, s, replicated.KindRecord).caughtUp() // which looks at the stream
	get(t, s, record("a"))
	if streamOf(t, js, "M_existing").AllowDirect {
		t.Error("AllowDirect was switched on again, and stays on")
	}
}

// A bucket that cannot store a group is refused, and the error says why.
func TestUnfitBuckets(t *testing.T) {
	f, ctx := alone(), soon(t)
	js := f.jetStream(t)
	for namespace, c := range map[string]struct {
		change func(*jetstream.StreamConfig)
		why    string
	}{
		"expiring": {func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "expire"},
		"small":    {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 64 << 10 }, "65536"},
		"dropping": {func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardOld, 1<<20 }, "drops"},
		"foreign":  {func(c *jetstream.StreamConfig) { c.Subjects = []string{"something.else"} }, "something.else"},
		"noack":    {func(c *jetstream.StreamConfig) { c.NoAck = true }, "NoAck"},
		"queue":    {func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention"},
		"once":     {func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = true }, "DiscardNewPerSubject"},
		"counting": {func(c *jetstream.StreamConfig) { c.AllowMsgCounter, c.Discard = true, jetstream.DiscardOld }, "AllowMsgCounter"},
		"hasty":    {func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "PersistMode"},
		"volatile": {func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "memory"},
		"hopeless": {func(c *jetstream.StreamConfig) {
			c.DiscardNewPerSubject, c.PersistMode, c.MaxAge = true, jetstream.AsyncPersistMode, time.Hour
		}, "DiscardNewPerSubject PersistMode expire"},
	} {
		sc := jetstream.StreamConfig{
			Name: "KV_G_" + namespace, Subjects: []string{"$KV.G_" + namespace + ".>"}, Storage: jetstream.FileStorage,
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew,
		}
		c.change(&sc)
		if _, err := js.CreateStream(ctx, sc); err != nil {
			t.Fatal(err)
		}
		cfg := f.config()
		cfg.Namespace = namespace
		s := f.dial(t, 0, cfg)
		_, err := s.Swap(ctx, document, 0, []byte("document"))
		for _, why := range strings.Fields(c.why) {
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("in bucket %s a swap returned %v, want an error with %q", sc.Name, err, why)
			}
		}
	}
}

// A deleted bucket is created again, whether reads, writes or watches meet its loss.
func TestBucketsThatGo(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		js := f.jetStream(t)
		cfg := f.config()
		cfg.Namespace, cfg.TTL = "gone", 4*time.Second
		s, other := f.dial(t, 0, cfg), f.dial(t, 1, cfg)
		at := swap(t, s, record("a"), 0, "before")
		get(t, other, record("a"))
		w := watch(t, other, replicated.KindRecord)
		w.caughtUp()
		for range 2 {
			if err := js.DeleteStream(soon(t), "KV_M_gone"); err != nil {
				t.Fatal(err)
			}
			if v := get(t, other, record("a")); v.Revision != 0 {
				t.Errorf("a record is read at revision %d after its bucket was deleted", v.Revision)
			}
			now := swap(t, s, record("a"), 0, "after")
			if now <= at {
				t.Errorf("the first revision in a new bucket is %d, after %d in the last one", now, at)
			}
			at = now
			if err := w.broken(); err == nil {
				t.Error("the watch of a deleted bucket ended without an error")
			}
			w = watch(t, other, replicated.KindRecord)
			if there := w.caughtUp(); len(there) != 1 || there[0].Value.Revision != at {
				t.Errorf("a new watch tells of %v, want one record at revision %d", there, at)
			}
		}
	})
}
