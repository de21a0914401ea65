//go:build unix

package slsserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// benchServer is a server on a loopback port with the project p.
func benchServer(b *testing.B, cfg Config) (*Server, string) {
	b.Helper()
	cfg.Projects = []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 16}}}}
	s, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	b.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return s, l.Addr().String()
}

// client is the cheapest there can be, so that the server is what is measured.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func newClient(b *testing.B, addr string) *client {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return &client{conn, bufio.NewReaderSize(conn, 64<<10)}
}

// roundTrip sends a request and reads the answer into body, which grows to hold it. It
// returns the raw size of a page.
func (c *client) roundTrip(request []byte, body *[]byte) (raw int, err error) {
	if _, err = c.conn.Write(request); err != nil {
		return 0, err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("%s", line)
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch string(name) {
		case "Content-Length":
			length, _ = strconv.Atoi(string(value))
		case "X-Log-Bodyrawsize":
			raw, _ = strconv.Atoi(string(value))
		}
	}
	if cap(*body) < length {
		*body = make([]byte, length)
	}
	_, err = io.ReadFull(c.r, (*body)[:length])
	return raw, err
}

// cpuTimer returns a function that says how much processor time has gone since, that of
// the clients included: it says more than the clock on a machine that has other work.
func cpuTimer() func() time.Duration {
	now := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := now()
	return func() time.Duration { return now() - start }
}

func benchRequest(method, target, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: p.sls.test\r\nUser-Agent: g_c\r\nx-log-apiversion: 0.6.0\r\n"+
		"x-log-bodyrawsize: 0\r\nx-log-signaturemethod: hmac-sha1\r\nDate: Mon, 23 Nov 2026 09:30:00 GMT\r\n"+
		"Content-Type: application/json\r\nAccept-Encoding: lz4\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body)
}

// BenchmarkHeartbeat is heartbeats of 16 consumers, each on a connection of its own.
func BenchmarkHeartbeat(b *testing.B) {
	_, addr := benchServer(b, Config{})
	c := newClient(b, addr)
	var body []byte
	create := benchRequest("POST", "/logstores/ls/consumergroups", `{"consumerGroup":"g","timeout":60,"order":false}`)
	if _, err := c.roundTrip(create, &body); err != nil {
		b.Fatal(err)
	}
	requests := make(chan []byte, 16)
	for i := range 16 {
		target := fmt.Sprintf("/logstores/ls/consumergroups/g?consumer=c%d&type=heartbeat", i)
		if _, err := c.roundTrip(benchRequest("POST", target, "[]"), &body); err != nil {
			b.Fatal(err)
		}
		requests <- benchRequest("POST", target, "["+strconv.Itoa(i)+"]")
	}
	b.SetParallelism(8)
	b.ResetTimer()
	cpu := cpuTimer()
	b.RunParallel(func(pb *testing.PB) {
		c := newClient(b, addr)
		request := <-requests
		var body []byte
		for pb.Next() {
			if _, err := c.roundTrip(request, &body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "beats/s")
	b.ReportMetric(float64(b.N)/cpu().Seconds(), "beats/cpu-s")
}

// fillShard puts 32 MB of log groups of four logs of 1 KB each into shard 0.
func fillShard(b *testing.B, s *Server) (begin int64) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("GET POST /index.html /api/v1/items 200 404 500 Mozilla/5.0 upstream latency bytes user session cache")
	ls, err := s.findLogstore("p", "ls")
	if err != nil {
		b.Fatal(err)
	}
	sh := ls.shard(0)
	for size := 0; size < 32<<20; {
		var group []byte
		for range 4 {
			var text strings.Builder
			for text.Len() < 1000 {
				fmt.Fprintf(&text, "%s=%d ", words[rng.IntN(len(words))], rng.IntN(100000))
			}
			group = append(group, logGroup("content", text.String(), "level", "info")...)
		}
		bl, err := newBlock(group)
		if err != nil {
			b.Fatal(err)
		}
		sh.mu.Lock()
		sh.push(entry{block: bl}, 0)
		sh.mu.Unlock()
		size += len(group)
	}
	return sh.first
}

// BenchmarkPull reads pages of 4 MB over two connections, no page twice in a row.
func BenchmarkPull(b *testing.B) {
	for _, kind := range []string{"lz4", "zstd"} {
		b.Run(kind, func(b *testing.B) {
			s, addr := benchServer(b, Config{RetentionBytes: -1})
			begin := fillShard(b, s)
			var requests [][]byte
			for i := range int64(6) {
				cursor := strings.ReplaceAll(formatCursor(begin+i*1000), "=", "%3D")
				request := benchRequest("GET", "/logstores/ls/shards/0?type=logs&count=1000&cursor="+cursor, "")
				requests = append(requests, bytes.Replace(request, []byte("Accept-Encoding: lz4"), []byte("Accept-Encoding: "+kind), 1))
			}
			probe := newClient(b, addr)
			var body []byte
			raw, err := probe.roundTrip(requests[0], &body)
			if err != nil || raw < 4<<20-64<<10 {
				b.Fatalf("%d bytes, %v", raw, err)
			}
			b.SetBytes(int64(raw))
			b.ResetTimer()
			cpu := cpuTimer()
			b.RunParallel(func(pb *testing.PB) {
				c := newClient(b, addr)
				var body []byte
				for i := 0; pb.Next(); i++ {
					if _, err := c.roundTrip(requests[i%len(requests)], &body); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)*float64(raw)/1e6/cpu().Seconds(), "MB/cpu-s")
		})
	}
}

// BenchmarkPut writes log groups of 4 KB that come compressed with lz4.
func BenchmarkPut(b *testing.B) {
	_, addr := benchServer(b, Config{})
	group := logGroup("content", strings.Repeat("a line of a log, ", 240))
	bl, err := newBlock(group)
	if err != nil {
		b.Fatal(err)
	}
	request := fmt.Appendf(nil, "POST /logstores/ls HTTP/1.1\r\nHost: p.sls.test\r\nContent-Type: application/x-protobuf\r\n"+
		"x-log-bodyrawsize: %d\r\nx-log-compresstype: lz4\r\nContent-Length: %d\r\n\r\n%s", len(group), len(bl.data), bl.data)
	b.SetBytes(int64(len(group)))
	b.RunParallel(func(pb *testing.PB) {
		c := newClient(b, addr)
		var body []byte
		for pb.Next() {
			if _, err := c.roundTrip(request, &body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkVerify is what a signature costs, without the rest of the server.
func BenchmarkVerify(b *testing.B) {
	for _, v4 := range []bool{false, true} {
		b.Run(fmt.Sprintf("V4=%v", v4), func(b *testing.B) {
			s, err := New(Config{Keys: []Key{{ID: vectorID, Secret: heartbeat.NewSecret(vectorSecret)}}})
			if err != nil {
				b.Fatal(err)
			}
			v := v1Vectors[1]
			if v4 {
				v = v4Vectors[1]
			}
			req := v.build(v4)
			c := &call{r: req, body: []byte(v.body), query: req.URL.Query()}
			c.signedPath = req.URL.Path
			for range b.N {
				_ = s.authenticate(c) // the vectors' date is over
			}
		})
	}
}
