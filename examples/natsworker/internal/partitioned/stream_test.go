package partitioned

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestLog: whatever a stream may be called is a log, and no two streams are the same one.
func TestLog(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{
		"ORDERS", "orders-2", "_x", "-x", "s_x", "$A", "ä", "ö", "a:b", "a b", strings.Repeat("n", 128), strings.Repeat("n", 200), strings.Repeat("n", 201),
	} {
		log := Stream{Name: name}.Log()
		if err := (shardset.ID{Log: log}).Validate(); err != nil || log == "" {
			t.Errorf("%q becomes %q: %v", name, log, err)
		}
		if other, ok := seen[log]; ok {
			t.Errorf("%q and %q both become %q", name, other, log)
		}
		seen[log] = name
	}
	for _, name := range []string{"ORDERS", "orders-2"} {
		if log := (Stream{Name: name}).Log(); log != name {
			t.Errorf("%q becomes %q", name, log)
		}
	}
}

func TestShards(t *testing.T) {
	s := Stream{Name: "ORDERS", Prefix: "a.b", Partitions: 2}
	shards := s.Shards()
	if len(shards) != 2 || shards[1].ID != (shardset.ID{Log: "ORDERS", Number: 1}) {
		t.Errorf("the shards are %v", shards)
	}
	if s.Subject(7) != "a.b.7" || s.All() != "a.b.*" {
		t.Errorf("the subjects are %q and %q", s.Subject(7), s.All())
	}
}

func TestFaults(t *testing.T) {
	good := Stream{Name: "ORDERS", Prefix: "orders", Partitions: 1}
	if f := good.Faults(); f != nil {
		t.Errorf("a good one: %q", f)
	}
	bad := Stream{Name: "a.b", Prefix: "x.*", Partitions: 0, Replicas: 2}
	f := strings.Join(bad.Faults(), "; ")
	for _, want := range []string{"-stream", "-prefix", "-partitions", "-replicas"} {
		if !strings.Contains(f, want) {
			t.Errorf("%q does not name %s", f, want)
		}
	}
	for _, prefix := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.>", "*"} {
		bad := good
		bad.Prefix = prefix
		if len(bad.Faults()) != 1 {
			t.Errorf("the prefix %q: %q", prefix, bad.Faults())
		}
	}
}

func TestCovers(t *testing.T) {
	for pattern, want := range map[string]bool{
		"orders.*": true, "orders.>": true, ">": true, "*.*": true, "*.>": true,
		"orders": false, "orders.1": false, "other.*": false, "orders.*.*": false, "*": false, "orders.*.>": false,
	} {
		if covers(pattern, "orders.*") != want {
			t.Errorf("%q covers orders.*: %v", pattern, !want)
		}
	}
}

func TestSuits(t *testing.T) {
	s := Stream{Name: "ORDERS", Prefix: "orders"}
	good := jetstream.StreamConfig{AllowDirect: true, Subjects: []string{"orders.*"}, Duplicates: 70 * time.Second}
	if err := s.Suits(good); err != nil {
		t.Error(err)
	}
	bad := jetstream.StreamConfig{
		Retention: jetstream.WorkQueuePolicy, MaxMsgsPerSubject: 1, Subjects: []string{"x"},
		AllowMsgTTL: true, AllowRollup: true, Duplicates: 69 * time.Second,
	}
	var unsuited *UnsuitedError
	if err := s.Suits(bad); !errors.As(err, &unsuited) || len(unsuited.Faults) != 7 {
		t.Errorf("it says %v", err)
	}
	for _, want := range []string{"retention", "allow_direct", "limits the messages", "allow_msg_ttl", "allow_rollup_hdrs", "1m9s", "subjects"} {
		if !strings.Contains(unsuited.Error(), want) {
			t.Errorf("nothing of %s in: %v", want, unsuited)
		}
	}
}

// TestEnsure: many make the stream at once, and one that is there is checked.
func TestEnsure(t *testing.T) {
	server, err := embedded.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s := Stream{Name: "ORDERS", Prefix: "orders", Partitions: 4, Replicas: 1}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.Ensure(t.Context(), js); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	other := s
	other.Prefix = "other"
	var unsuited *UnsuitedError
	if err := other.Ensure(t.Context(), js); !errors.As(err, &unsuited) {
		t.Errorf("another prefix: %v", err)
	}
}

func TestRecords(t *testing.T) {
	r := Record{Number: 17, Put: time.Unix(1_790_000_000, 5), Line: []byte("a line")}
	data := AppendRecord(nil, r)
	if string(data) != "17 1790000000000000005 a line" {
		t.Errorf("it travels as %q", data)
	}
	for _, line := range []string{"a line", "", " ", "a\nb"} {
		r.Line = []byte(line)
		got, err := ParseRecord(AppendRecord(nil, r))
		if err != nil || got.Number != r.Number || !got.Put.Equal(r.Put) || string(got.Line) != line {
			t.Errorf("%q becomes %+v, %v", line, got, err)
		}
	}
	bad := []string{"", "17", "17 5", "0 5 x", "-1 5 x", "x 5 x", "17 x x", "17  x", "{}"}
	for _, text := range bad {
		if r, err := ParseRecord([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
