package slsserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func smallServer(t *testing.T) *Server {
	t.Helper()
	s, err := New(Config{Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Without keys a web page that a developer visits could change the server: browsers need
// no permission for a request without a body.
func TestWebPagesAreRefused(t *testing.T) {
	keyed, err := New(Config{Keys: []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}, Projects: []Project{{Name: "p"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer keyed.Close()
	s := smallServer(t)
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

// A client that announces a body and sends none does not count as a request in flight.
func TestSilentClientsBlockNoOthers(t *testing.T) {
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
