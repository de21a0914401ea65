package slsserver

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wire is a real connection to a server, on which requests are written by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	addr string
}

// listen puts the server on a loopback port.
func (r *rig) listen() string {
	r.t.Helper()
	l, err := r.Listen("127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve(l) }()
	r.t.Cleanup(func() {
		_ = r.Close()
		if err := <-done; err != nil {
			r.t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{t, conn, bufio.NewReader(conn), addr}
}

// send writes a request as it is, with LF for CRLF, and reads the answer.
func (w *wire) send(request string) answer {
	w.t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	_, err := io.WriteString(w.conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := w.read()
	if err != nil {
		w.t.Fatalf("%s: %v", head, err)
	}
	return a
}

func (w *wire) read() (answer, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	return answer{resp.StatusCode, resp.Header, body.String()}, err
}
