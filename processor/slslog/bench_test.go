package slslog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

var sink int

// benchPage makes a page of about size bytes: groups of 4 logs of about 1 KB each, with
// 8 contents. Values are words and numbers, so that it compresses as logs do.
func benchPage(tb testing.TB, size int) []byte {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x", rnd.Uint64())[:2+rnd.IntN(12)]
	}
	text := func(n int) []byte {
		var b []byte
		for len(b) < n {
			b = append(append(b, words[rnd.IntN(len(words))]...), ' ')
		}
		return b[:n]
	}
	var page []byte
	var g Builder
	for at := time.Unix(1800000000, 0); len(page) < size; at = at.Add(time.Millisecond) {
		g.Reset()
		must(tb, g.SetTopic("nginx"))
		must(tb, g.SetSource("10.20.30.40"))
		must(tb, g.AddTag("__client_ip__", "10.20.30.40"))
		for range 4 {
			must(tb, g.AddLog(at,
				Content{"time", []byte(at.Format(time.RFC3339Nano))},
				Content{"level", []byte("info")},
				Content{"host", []byte("web-7.shop.example.org")},
				Content{"request_id", fmt.Appendf(nil, "%016x%016x", rnd.Uint64(), rnd.Uint64())},
				Content{"status", fmt.Append(nil, 200+rnd.IntN(300))},
				Content{"request", append([]byte("GET /v1/orders?filter="), text(150)...)},
				Content{"user_agent", []byte("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")},
				Content{"message", text(580)},
			))
		}
		page = append(appendLength(page, listGroup, g.Size()), g.Bytes()...)
	}
	return page
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func compressLZ4(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	b := make([]byte, lz4.CompressBlockBound(len(raw)))
	n, err := lz4.CompressBlock(raw, b, nil)
	must(tb, err)
	return b[:n]
}

func compressZstd(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	e, err := zstd.NewWriter(nil)
	must(tb, err)
	return e.EncodeAll(raw, nil)
}

// streamZstd makes a frame without a content size.
func streamZstd(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	e, err := zstd.NewWriter(&b)
	must(tb, err)
	for i := 0; i < len(raw); i += 1000 {
		_, err := e.Write(raw[i:min(i+1000, len(raw))])
		must(tb, err)
	}
	must(tb, e.Close())
	return b.Bytes()
}

// touch reads the ends of every value and counts their bytes.
func touch(groups []Group) (n int) {
	for i := range groups {
		for log := range groups[i].Logs() {
			for _, value := range log.Contents() {
				n += len(value)
				if len(value) > 0 {
					n += int(value[0]) + int(value[len(value)-1])
				}
			}
		}
	}
	return n
}

// perCPU reports raw bytes per second of processor time, which other programs on the
// machine disturb less than time on the clock.
func perCPU(b *testing.B, raw int, run func()) {
	b.SetBytes(int64(raw))
	b.ReportAllocs()
	before := processorTime()
	for b.Loop() {
		run()
	}
	if used := processorTime() - before; used > 0 {
		b.ReportMetric(float64(raw)*float64(b.N)/1e6/used.Seconds(), "MB/cpu-s")
	}
}

// BenchmarkDecode is from the compressed body to the last value.
func BenchmarkDecode(b *testing.B) {
	raw := benchPage(b, 4<<20)
	for _, kind := range []sls.Compression{sls.LZ4, sls.Zstd} {
		body := compressAs(b, raw, kind)
		b.Run(string(kind), func(b *testing.B) {
			pool := newBuffers(16 << 20)
			perCPU(b, len(raw), func() {
				buf := pool.take(len(raw))
				page, err := decompress(buf.b, body, kind, len(raw))
				if err != nil {
					b.Fatal(err)
				}
				groups, err := Parse(page)
				if err != nil {
					b.Fatal(err)
				}
				sink += touch(groups)
				buf.release()
			})
		})
	}
}

func BenchmarkParts(b *testing.B) {
	raw := benchPage(b, 4<<20)
	body := compressLZ4(b, raw)
	groups, err := Parse(raw)
	must(b, err)
	dst := make([]byte, len(raw))
	b.Run("lz4", func(b *testing.B) {
		perCPU(b, len(raw), func() { _, err = decompress(dst, body, sls.LZ4, len(raw)) })
	})
	b.Run("twin", func(b *testing.B) { perCPU(b, len(raw), func() { _, err = twinParse(raw) }) })
	b.Run("parse", func(b *testing.B) { perCPU(b, len(raw), func() { _, err = Parse(raw) }) })
	b.Run("touch", func(b *testing.B) { perCPU(b, len(raw), func() { sink += touch(groups) }) })
	b.Run("time", func(b *testing.B) {
		perCPU(b, len(raw), func() {
			for _, g := range groups {
				for log := range g.Logs() {
					sink += log.Time().Nanosecond()
				}
			}
		})
	})
	must(b, err)
}
