package slsserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func smallServer(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := New(Config{Dir: dir, Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The process dies after a commit that saw the parent of a split closed, and before the
// split was written down: the shard takes data again, so it is not over.
func TestKillBetweenTheEndAndTheSplit(t *testing.T) {
	dir := t.TempDir()
	s := smallServer(t, dir)
	r := &rig{t, s}
	r.do("POST", "/logstores/ls/consumergroups", `{"consumerGroup":"g","timeout":1}`)
	r.do("POST", "/logstores/ls/consumergroups/g?type=heartbeat&consumer=c", `[]`)
	ls, _ := s.findLogstore("p", "ls")
	sh := ls.shard(0)
	_, end, _ := sh.bounds()
	sh.setClosed(time.Now()) // replace does this, then journals; the commit comes between
	r.do("POST", "/logstores/ls/consumergroups/g?type=checkpoint&consumer=c", fmt.Sprintf(`{"shard":0,"checkpoint":%q}`, formatCursor(end)))
	_ = s.Close() // the split was never written down
	s = smallServer(t, dir)
	defer s.Close()
	r = &rig{t, s}
	r.do("POST", "/logstores/ls/consumergroups/g?type=heartbeat&consumer=c", `[]`)
	time.Sleep(1500 * time.Millisecond)
	if a := r.do("POST", "/logstores/ls/consumergroups/g?type=heartbeat&consumer=d", `[]`); a.body != "[0]" {
		t.Errorf("the writable shard belongs to nobody for ever: %s", a.body)
	}
}

// A group that is deleted while others change it does not come back with a restart.
func TestDeletedGroupStaysDeleted(t *testing.T) {
	back := 0
	for i := 0; i < 60 && back == 0; i++ {
		dir := t.TempDir()
		s := smallServer(t, dir)
		r := &rig{t, s}
		r.do("POST", "/logstores/ls/consumergroups", `{"consumerGroup":"g","timeout":1}`)
		var wg sync.WaitGroup
		for j := range 4 {
			wg.Go(func() {
				for k := range 20 {
					r.do("PUT", "/logstores/ls/consumergroups/g", fmt.Sprintf(`{"timeout":%d}`, 2+j+k))
				}
			})
		}
		var d answer
		wg.Go(func() { d = r.do("DELETE", "/logstores/ls/consumergroups/g", "") })
		wg.Wait()
		_ = s.Close()
		s = smallServer(t, dir)
		if body := (&rig{t, s}).do("GET", "/logstores/ls/consumergroups", "").body; d.status == 200 && body != "[]" {
			back++
			t.Errorf("round %d: deleted with %d, back after a restart: %s", i, d.status, body)
		}
		_ = s.Close()
	}
}

// Without keys a web page that a developer visits could change the server: browsers need
// no permission for a request without a body.
func TestWebPagesAreRefused(t *testing.T) {
	keyed, err := New(Config{Keys: []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}, Projects: []Project{{Name: "p"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer keyed.Close()
	s := smallServer(t, "")
	defer s.Close()
	for _, tt := range []struct {
		server        *Server
		header, value string
		want          int
	}{
		{s, "Origin", "https://evil.example", 403},
		{s, "Sec-Fetch-Site", "cross-site", 403},
		{s, "Sec-Fetch-Site", "same-site", 403},
		{s, "Sec-Fetch-Site", "none", 200}, // typed by hand
		{s, "User-Agent", "curl", 200},
		{keyed, "Origin", "https://console.example", 401}, // only because it is not signed
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/logstores/ls/shards", nil)
		r.Header.Set(tt.header, tt.value)
		w := httptest.NewRecorder()
		tt.server.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %s: status %d, want %d", tt.header, tt.value, w.Code, tt.want)
		}
	}
}

// silent is a body that never comes.
type silent struct{ asked, over chan struct{} }

func (b silent) Read([]byte) (int, error) {
	b.asked <- struct{}{}
	<-b.over
	return 0, io.ErrUnexpectedEOF
}

// Who announces a body and sends none takes nobody's place.
func TestSilentClientsKeepNobodyOut(t *testing.T) {
	s, err := New(Config{MaxInFlight: 2, Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all sync.WaitGroup
	b := silent{make(chan struct{}), make(chan struct{})}
	for range 4 {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/logstores/ls", b)
			r.ContentLength = 1_000_000
			s.ServeHTTP(httptest.NewRecorder(), r)
		})
		<-b.asked
	}
	if a := (&rig{t, s}).do("GET", "/logstores/ls/shards", ""); a.status != 200 {
		t.Errorf("beside four silent clients the answer is %d, want 200", a.status)
	}
	close(b.over)
	all.Wait()
}
