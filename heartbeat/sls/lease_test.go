package sls

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
)

// A worker with a user's HTTP/2 transport keeps its lease when the connection hangs, at whatever
// moment, even if reads hang too.
func TestLeaseSurvivesAHungConnection(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			srv, err := slsserver.New(slsserver.Config{Projects: []slsserver.Project{{
				Name: "my-project", Logstores: []slsserver.Logstore{{Name: "my-logstore", Shards: 2}},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = srv.Close() })
			p := &http.Protocols{}
			p.SetHTTP1(!http2)
			p.SetUnencryptedHTTP2(http2)
			n := newNetwork(t, srv, p)
			transport := &http.Transport{DialContext: n.dial, Protocols: p}
			t.Cleanup(transport.CloseIdleConnections)
			cfg := config(transport)
			cfg.Endpoint = "http://127.0.0.1:1"
			client := newClient(t, cfg)
			read := func(ctx context.Context, s *processor.Shard) error {
				cursor, err := client.Cursor(ctx, s.Lease().ID.Number, End)
				if err != nil {
					return err
				}
				for {
					// It may hang; what matters is that it shares the connection.
					_, _ = client.Pull(ctx, PullRequest{Shard: s.Lease().ID.Number, Cursor: cursor})
					select {
					case <-time.After(100 * time.Millisecond):
					case <-s.Revoked():
						return nil
					}
				}
			}
			worker, err := coordinator.New(coordinator.Config{Group: client, Member: "c1", Processor: processor.FromFunc(read)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- worker.Run(ctx) }()
			time.Sleep(10 * time.Second)
			for i := range 10 {
				n.hang()
				time.Sleep(40*time.Second + time.Duration(i)*197*time.Millisecond)
			}
			if s := worker.Status(); s.Counters.LeasesLost+s.Counters.Evictions != 0 || len(s.Shards) != 2 || http2 && s.Counters.HeartbeatsFailed == 0 {
				t.Errorf("HTTP/2: %v: after 10 hung connections: %+v", http2, s.Counters)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
