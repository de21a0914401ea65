package slslog

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// The text of a bad query contains a cursor, and the service repeats it in its error. The shard is halted at
// its position. If the error counted as an expired position, the shard would move to its end and lose all
// logs.
func TestQueryThatNamesACursor(t *testing.T) {
	s := serve(t, 1, slsserver.Config{})
	s.put('0', 10, sls.PutOptions{})
	_, err := s.server.AddFault(slsserver.Fault{
		Op: "PullLogs", Status: 400, Code: "ParameterInvalid", Message: "invalid query: * | where cursor = 'x",
	})
	must(t, err)
	r := open(t, s.source(Options{Query: "* | where cursor = 'x"}), 0, batch.Start{})
	before := r.Position()
	if _, err := r.Read(t.Context(), anything); errors.Is(err, batch.ErrExpired) || !processor.IsHalt(err) {
		t.Errorf("a bad query is %v", err)
	}
	if r.Position() != before {
		t.Errorf("it stands at %q", r.Position())
	}
}

// A page whose next cursor stands still or goes back is not delivered: reading again
// delivers each group once.
func TestPageThatDoesNotFollowIsReadAgain(t *testing.T) {
	wrong := "" // what the service says instead, if set
	s := serve(t, 1, slsserver.Config{}, func(c *sls.Config) {
		service := c.Transport
		c.Transport = trip(func(r *http.Request) (*http.Response, error) {
			resp, err := service.RoundTrip(r)
			if err == nil && wrong != "" && r.URL.Query().Get("type") == "logs" {
				resp.Header.Set("X-Log-Cursor", wrong)
			}
			return resp, err
		})
	})
	s.put('0', 30, sls.PutOptions{})
	begin := s.at(0, sls.Begin)
	r := open(t, s.source(Options{}), 0, batch.Start{})
	var got []string
	for i, bad := range []func(at string) string{
		func(string) string { return "" },           // all is well
		func(at string) string { return at },        // it stands still
		func(at string) string { return at + "\n" }, // the same in another way
		func(string) string { return begin },        // it goes back
		func(string) string { return "LTE=" },       // to -1
		func(string) string { return "" },
		func(string) string { return "" },
	} {
		at := string(r.Position())
		wrong = bad(at)
		chunk, err := r.Read(t.Context(), batch.Limit{Bytes: 1 << 20, Items: 10})
		if wrong == "" {
			must(t, err)
			got = append(got, contents(chunk.Items)...)
			continue
		}
		var senseless *sls.ResponseError
		if !errors.As(err, &senseless) || processor.IsHalt(err) || errors.Is(err, batch.ErrExpired) || len(chunk.Items) != 0 || string(r.Position()) != at {
			t.Errorf("read %d at %q with the next cursor %q: %d groups, %v", i, at, wrong, len(chunk.Items), err)
		}
	}
	same(t, "what was read", got, upTo(30))
}

// A worker continues from a position with a line end, which some clients commit, whichever way the
// request is signed. The end of the shard is recognized there.
func TestPositionWithALineEnd(t *testing.T) {
	for _, signature := range []sls.Signature{sls.V1, sls.V4} {
		for _, end := range []string{"\n", "\r\n"} {
			key := slsserver.Key{ID: "id", Secret: heartbeat.NewSecret("secret")}
			s := serve(t, 1, slsserver.Config{Keys: []slsserver.Key{key}}, func(c *sls.Config) {
				c.Credentials, c.Signature, c.Region = sls.Static("id", "secret", ""), signature, "cn-hangzhou"
			})
			s.put('0', 10, sls.PutOptions{})
			r := open(t, s.source(Options{}), 0, batch.Start{Position: processor.Position(s.at(0, sls.Begin) + end)})
			chunk := readFrom(t, r, anything)
			same(t, "what was read", contents(chunk.Items), upTo(10))
			if chunk.After == nil {
				t.Error("the groups have no positions")
			}
			r = open(t, s.source(Options{}), 0, batch.Start{Position: processor.Position(s.at(0, sls.End) + end)})
			if chunk = readFrom(t, r, anything); len(chunk.Items) != 0 || chunk.More || !strings.HasSuffix(string(r.Position()), end) {
				t.Errorf("at the end it read %d groups, more: %v, and stands at %q", len(chunk.Items), chunk.More, r.Position())
			}
		}
	}
}
