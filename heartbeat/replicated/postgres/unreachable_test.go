package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// The error for a server that cannot be reached names its address, and no password.
func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, at := range map[string]string{"refused": closed.Addr().String(), "silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			pool, err := pgxpool.New(t.Context(), "postgres://worker:canary@"+at+"/db?sslmode=disable")
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			s, err := NewStore(Config{Pool: pool, Group: "orders", Shards: shardset.Range("orders", 1)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, got := s.Get(ctx, replicated.Key{Kind: replicated.KindDocument})
			_, swapped := s.Swap(ctx, replicated.Key{Kind: replicated.KindDocument}, 1, []byte("x"))
			for call, err := range map[string]error{"get": got, "swap": swapped} {
				if err == nil || errors.Is(err, context.DeadlineExceeded) && call == "swap" {
					continue // its time was over before it began
				}
				if text := err.Error(); !strings.Contains(text, at) || strings.Contains(text, "canary") {
					t.Errorf("%s: the error is %q, want one that names %s, without the password", call, text, at)
				}
			}
			if got == nil {
				t.Error("the server answered")
			}
		})
	}
}
