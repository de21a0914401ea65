package sls

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// An error of a service that cannot be reached says where it was looked for, whether there
// was a connection, and why not.
func TestUnreachable(t *testing.T) {
	closed, silent := listen(t), listen(t)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	rude := listen(t)
	go func() { // ends when rude is closed
		for {
			conn, err := rude.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake fails
	strange.StartTLS()
	t.Cleanup(strange.Close)
	for name, c := range map[string]struct {
		endpoint string
		want     []string // after the address
	}{
		"refused":      {"http://" + closed.Addr().String(), []string{"no connection to", "connect", closed.Addr().String()}},
		"silent":       {"http://" + silent.Addr().String(), []string{"no answer from", "deadline exceeded"}},
		"no handshake": {"https://" + silent.Addr().String(), []string{"no connection to", "deadline exceeded"}},
		"broken off":   {"http://" + rude.Addr().String(), []string{"no answer from"}},
		"another name": {"https://" + strange.Listener.Addr().String(), []string{"no connection to", "certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New(Config{
				Endpoint: c.endpoint, Project: "p", Logstore: "ls", Group: "g",
				Credentials: Static("id", "canary-secret", ""),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			bound := 20 * time.Second // what ends by itself may take its time on a busy machine
			if slices.Contains(c.want, "deadline exceeded") {
				bound = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			_, err = client.heartbeat(ctx, "c1", nil)
			if err == nil {
				t.Fatal("there was an answer")
			}
			text := err.Error()
			for _, want := range append(c.want, c.endpoint) {
				if !strings.Contains(text, want) {
					t.Errorf("the error is %q, without %q", text, want)
				}
			}
			if strings.Contains(text, "canary") {
				t.Errorf("the error %q shows the secret", text)
			}
		})
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
