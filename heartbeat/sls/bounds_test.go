package sls

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
)

// TestAnswersAreCountedFirst: an answer that is too long is refused before there is memory
// for what is in it.
func TestAnswersAreCountedFirst(t *testing.T) {
	const size = 400_000 // bytes, for more elements than are taken
	for name, body := range map[string]string{
		"numbers": "[" + strings.Repeat("0,", maxAnswer/2-2) + "0]", // the most that is read
		"empty":   "[" + strings.Repeat("{},", size/3-2) + "{}]",
		"nulls":   "[" + strings.Repeat("null,", size/5-2) + "null]",
		"arrays":  "[" + strings.Repeat("[],", size/3-2) + "[]]",
		"deep":    strings.Repeat("[", size),
		"digits":  "[" + strings.Repeat("1", size-2) + "]",
	} {
		for op, parse := range map[string]func([]byte) error{
			opHeartbeat:     func(b []byte) error { _, err := parseNumbers(b); return err },
			opListShards:    func(b []byte) error { _, err := parseShards(b); return err },
			opListGroups:    func(b []byte) error { _, err := parseGroups(b, ""); return err },
			opGetCheckpoint: func(b []byte) error { _, err := parseCheckpoints(b); return err },
			opCursor:        func(b []byte) error { _, err := parseCursor(b); return err },
			opCursorTime:    func(b []byte) error { _, err := parseCursorTime(b); return err },
		} {
			b := []byte(body)
			if op != opHeartbeat {
				b = b[:min(len(b), size)] // the JSON decoder is slow
			}
			n := alloctest.Bytes(func() {
				if err := parse(b); err == nil || len(err.Error()) > 200 {
					t.Errorf("%s of %s: %v", op, name, err)
				}
			})
			// A decoder keeps one value of the answer, in a buffer that doubles.
			if n > 4*len(b)+1<<10 || name == "numbers" && n > 64<<10 {
				t.Errorf("%s of %s allocates %d KiB", op, name, n>>10)
			}
			var bad *ResponseError
			if err := operations(newClient(t, config(always(200, string(b)))))[op](t.Context()); !errors.As(err, &bad) {
				t.Errorf("%s of %s: %v, want a *ResponseError", op, name, err)
			}
		}
	}
}

// TestAnnouncedBodies: a page that is announced and does not come takes no memory.
func TestAnnouncedBodies(t *testing.T) {
	for _, announced := range []int64{-1, 60 << 20} {
		body := bytes.Repeat([]byte{7}, 100)
		n := alloctest.Bytes(func() {
			r := reply(200, "", headerCursor, "x", headerCount, "1", headerBodyRawSize, "67108864")
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), announced
			p, err := readPage(r, "", nil)
			if err == nil {
				t.Errorf("announced %d: a page of %d bytes: %v", announced, len(p.Body), err)
			}
		})
		if n > 2<<20 {
			t.Errorf("announced %d: it allocates %d KiB", announced, n>>10)
		}
	}
	// One that comes is read as it is, in pieces or at once, with a buffer or without.
	want := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	for _, buffer := range []int{0, 3 << 20, 6 << 20} {
		for _, announced := range []int64{-1, int64(len(want))} {
			r := &http.Response{ContentLength: announced, Body: io.NopCloser(io.MultiReader(bytes.NewReader(want[:100]), bytes.NewReader(want[100:])))}
			got, err := readBody(r, make([]byte, 0, buffer), len(want))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("buffer %d, announced %d: %d bytes, %v", buffer, announced, len(got), err)
			}
		}
	}
}
