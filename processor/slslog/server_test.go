package slslog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestServerPages in every compression, and each position of a group is one to go on from.
func TestServerPages(t *testing.T) {
	s := serve(t, 1, slsserver.Config{MaxPageBytes: 60000})
	for _, c := range []sls.Compression{sls.LZ4, sls.Zstd, sls.None} {
		s.put('0', 60, sls.PutOptions{Compression: c})
	}
	want := upTo(180)
	for _, c := range []sls.Compression{"", sls.LZ4, sls.Zstd, sls.None} {
		src := s.source(Options{Compression: c})
		r := open(t, src, 0, batch.Start{})
		var got []string
		for string(r.Position()) != s.at(0, sls.End) {
			chunk := readFrom(t, r, batch.Limit{Bytes: 1 << 20, Items: 50})
			for i := range chunk.Items {
				other := open(t, src, 0, batch.Start{Position: chunk.After(i)})
				next := readFrom(t, other, batch.Limit{Bytes: 1, Items: 1})
				expect := min(len(got)+i+1, len(want))
				same(t, "after a group", contents(next.Items), want[expect:min(expect+1, len(want))])
			}
			got = append(got, contents(chunk.Items)...)
			chunk.Release()
		}
		same(t, string(c), got, want)
	}
}

// TestServerQuery reads what passes a query or a stored one, and goes through the rest.
func TestServerQuery(t *testing.T) {
	s := serve(t, 1, slsserver.Config{})
	s.put('0', 30, sls.PutOptions{})
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"one":       {Options{Query: "* | where n = '17'"}, []string{"17"}},
		"none":      {Options{Query: "* | where n = 'x'"}, nil},
		"processor": {Options{Processor: "odd"}, []string{"1", "3", "5", "7", "9", "11", "13", "15", "17", "19", "21", "23", "25", "27", "29"}},
	} {
		r := open(t, s.source(c.o), 0, batch.Start{})
		var got []string
		for i := 0; i < 4; i++ {
			chunk := readFrom(t, r, batch.Limit{Bytes: 1 << 20, Items: 10})
			got = append(got, contents(chunk.Items)...)
			if chunk.More != (i < 3) || chunk.After != nil {
				t.Errorf("%s: page %d: more %v", name, i, chunk.More)
			}
		}
		same(t, name, got, c.want)
		if string(r.Position()) != s.at(0, sls.End) {
			t.Errorf("%s: it stands at %q", name, r.Position())
		}
	}
}

// TestServerRefuses checks the error of Read for each refusal.
func TestServerRefuses(t *testing.T) {
	refuse := func(status int, code, message string) slsserver.Fault {
		return slsserver.Fault{Status: status, Code: code, Message: message}
	}
	for name, c := range map[string]struct {
		fault   slsserver.Fault
		is      error
		halts   bool
		atLeast time.Duration
	}{
		"quota":          {fault: slsserver.Fault{Op: "PullLogs", Code: "ReadQuotaExceed"}, is: batch.ErrThrottled, atLeast: time.Second},
		"shard quota":    {fault: refuse(403, "ShardReadQuotaExceed", "slow down"), is: batch.ErrThrottled, atLeast: time.Second},
		"cursor":         {fault: refuse(400, "InvalidCursor", "no"), is: batch.ErrExpired},
		"bad parameter":  {fault: refuse(400, "ParameterInvalid", "invalid cursor"), halts: true},
		"shard gone":     {fault: refuse(400, "ShardNotExist", "no"), is: batch.ErrGone},
		"query":          {fault: refuse(400, "ParameterInvalid", "the query makes no sense"), halts: true},
		"unknown code":   {fault: refuse(400, "NotSupportedNow", "the processor is being made")},
		"busy":           {fault: slsserver.Fault{Code: "ServerBusy"}},
		"internal":       {fault: slsserver.Fault{Code: "InternalServerError"}},
		"clock":          {fault: refuse(400, "RequestTimeExpired", "too late")},
		"not authorised": {fault: refuse(401, "Unauthorized", "no")},
		"logstore":       {fault: refuse(404, "LogStoreNotExist", "no")},
	} {
		for _, op := range []string{"PullLogs", "GetCursor"} {
			if op == "GetCursor" && c.is == batch.ErrExpired {
				continue // nothing has expired where no position was asked for
			}
			s := serve(t, 1, slsserver.Config{})
			c.fault.Op = op
			_, err := s.server.AddFault(c.fault)
			must(t, err)
			r, err := s.source(Options{}).Open(t.Context(), shardset.ID{Log: testLog}, batch.Start{Initial: batch.Earliest()})
			if op == "PullLogs" {
				must(t, err)
				_, err = r.Read(t.Context(), anything)
			}
			var refused *sls.Error
			if !errors.As(err, &refused) || c.is != nil && !errors.Is(err, c.is) || processor.IsHalt(err) != c.halts {
				t.Errorf("%s, %s: %v, halts: %v", name, op, err, processor.IsHalt(err))
				continue
			}
			for _, other := range []error{batch.ErrThrottled, batch.ErrExpired, batch.ErrGone} {
				if other != c.is && errors.Is(err, other) {
					t.Errorf("%s, %s: %v is %v", name, op, err, other)
				}
			}
			var after interface{ RetryAfter() time.Duration }
			if !errors.As(err, &after) || after.RetryAfter() < c.atLeast {
				t.Errorf("%s, %s: the pause is lost", name, op)
			}
		}
	}
	// A position that cannot even be sent.
	s := serve(t, 1, slsserver.Config{})
	r := open(t, s.source(Options{}), 0, batch.Start{Position: "a b"})
	if _, err := r.Read(t.Context(), anything); !processor.IsHalt(err) {
		t.Errorf("nonsense as a position: %v", err)
	}
}

// TestServerExpires: data before the position is gone, and then the shard.
func TestServerExpires(t *testing.T) {
	s := serve(t, 1, slsserver.Config{})
	s.put('0', 10, sls.PutOptions{})
	r := open(t, s.source(Options{}), 0, batch.Start{})
	must(t, s.server.Expire("p", testLog, 0, 4))
	if _, err := r.Read(t.Context(), anything); !errors.Is(err, batch.ErrExpired) {
		t.Errorf("expired data: %v", err)
	}
	r = open(t, s.source(Options{}), 0, batch.Start{})
	same(t, "after the gap", contents(readFrom(t, r, anything).Items), upTo(10)[4:])
	_, err := s.SplitShard(t.Context(), 0, "80000000000000000000000000000000")
	must(t, err)
	must(t, s.server.Expire("p", testLog, 0, -1))
	if _, err := r.Read(t.Context(), anything); !errors.Is(err, batch.ErrGone) {
		t.Errorf("a shard that is gone: %v", err)
	}
}

// TestServerClosesShards: one that was split ends, and one that never had data.
func TestServerClosesShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 2, slsserver.Config{})
		s.put('0', 5, sls.PutOptions{})
		src := s.source(Options{})
		readers := []*reader{open(t, src, 0, batch.Start{}), open(t, src, 1, batch.Start{})}
		for range 3 {
			for i, r := range readers {
				if c := readFrom(t, r, anything); c.End != 0 {
					t.Errorf("shard %d ended with %v", i, c.End)
				}
			}
		}
		synctest.Wait() // for the list that is asked for beside the reads
		before := s.server.Stats()["ListShards"]
		s.put('0', 1, sls.PutOptions{})
		for i, key := range []string{"40000000000000000000000000000000", "c0000000000000000000000000000000"} {
			_, err := s.SplitShard(t.Context(), i, key)
			must(t, err)
		}
		for i, r := range readers {
			var got []string
			end := batch.End(0)
			for n := 0; end == 0 && n < 100; n++ {
				time.Sleep(100 * time.Millisecond)
				c := readFrom(t, r, anything)
				got, end = append(got, contents(c.Items)...), c.End
			}
			same(t, fmt.Sprint("shard ", i), got, [][]string{{"5"}, nil}[i])
			if end != batch.EndClosed || string(r.Position()) != s.at(i, sls.End) {
				t.Errorf("shard %d ended with %v at %q", i, end, r.Position())
			}
		}
		if n := s.server.Stats()["ListShards"] - before; n != 1 {
			t.Errorf("%d lists for two shards within three seconds, want 1", n)
		}
	})
}

// TestServerBound: the time of a bound is that of the service, to the second.
func TestServerBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 1, slsserver.Config{})
		var bound time.Time
		for i := range 10 {
			if i == 6 {
				bound = time.Now()
			}
			s.put('0', 3, sls.PutOptions{})
			time.Sleep(time.Second)
		}
		for _, query := range []string{"", "* | where parity = '1'", "* | where n = 'x'"} {
			r := open(t, s.source(Options{Query: query}), 0, until(bound))
			var got []string
			for end := batch.End(0); end == 0; {
				c := readFrom(t, r, batch.Limit{Bytes: 1 << 20, Items: 7})
				got, end = append(got, contents(c.Items)...), c.End
				if end == 0 && !c.More {
					t.Fatalf("%q: no end, at %q", query, r.Position())
				}
			}
			want := upTo(18)
			if query != "" {
				want = slices.DeleteFunc(want, func(n string) bool {
					return query != "* | where parity = '1'" || int(n[len(n)-1])%2 == 0
				})
			}
			same(t, query, got, want)
		}
	})
}
