package natskv

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func TestEscape(t *testing.T) {
	for name, want := range map[string]string{
		"worker-1_A": "worker-1_A",
		"orders/3":   "orders/3",
		"a.b":        "a=2Eb",
		"a b":        "a=20b",
		"=2E":        "=3D2E",
		"*>$":        "=2A=3E=24",
		"é\x00\xff":  "=C3=A9=00=FF",
		"..":         "=2E=2E",
	} {
		if got := escape(name); got != want {
			t.Errorf("the token of %q is %q, want %q", name, got, want)
		}
	}
	for _, token := range []string{"", "a.b", "=", "=2", "=2e", "=41", "=GG", "a=", "é", "a b", "*", ">", "=2F"} {
		if name, ok := unescape(token); ok {
			t.Errorf("token %q was taken for the name %q", token, name)
		}
	}
}

// keyPattern is what the bucket takes, of a single token.
var keyPattern = regexp.MustCompile(`^[-/_=a-zA-Z0-9]+$`)

// Every name has a token that a bucket takes, and that is no other name's.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a", ".", "=41", "\xff\xfe", "日本", strings.Repeat("\xff", 148)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s != "" {
			token := escape(s)
			if !keyPattern.MatchString(token) {
				t.Fatalf("the token of %q is %q", s, token)
			}
			if name, ok := unescape(token); !ok || name != s {
				t.Fatalf("the token %q of %q is read as %q", token, s, name)
			}
		}
		if name, ok := unescape(s); ok && escape(name) != s {
			t.Fatalf("the tokens %q and %q are both the name %q", s, escape(name), name)
		}
	})
}

func testStore(t *testing.T) *store {
	return newStore(t, Config{Conn: &nats.Conn{}, Group: "orders", Namespace: "test"})
}

func TestPlaces(t *testing.T) {
	s := testStore(t)
	for k, want := range map[replicated.Key]string{
		{Kind: replicated.KindDocument}:                     "$KV.G_test.orders.doc",
		{Kind: replicated.KindCheckpoint, Name: "orders/0"}: "$KV.G_test.orders.cp.orders/0",
		{Kind: replicated.KindRecord, Name: "host.1"}:       "$KV.M_test.orders.m.host=2E1",
	} {
		b, subject, err := s.locate(k)
		if err != nil || subject != want || !strings.HasPrefix(subject, b.prefix) {
			t.Errorf("%s is at %q in bucket %s (%v), want %q", k, subject, b.name, err, want)
		}
		if back, ok := s.keyOf(k.Kind, subject); !ok || back != k {
			t.Errorf("%q is read as %s, %t; want %s", subject, back, ok, k)
		}
	}
	for _, k := range []replicated.Key{{}, {Kind: replicated.KindRecord}, {Kind: replicated.KindCheckpoint}, {Kind: 9, Name: "a"}} {
		if _, subject, err := s.locate(k); err == nil {
			t.Errorf("%s has the place %q", k, subject)
		}
	}
	for _, subject := range []string{
		"$KV.M_test.orders.m.", "$KV.M_test.orders.m.a.b", "$KV.M_test.others.m.a", "$KV.M_test.orders.m.=41", "$KV.M_test.=mark",
	} {
		if k, ok := s.keyOf(replicated.KindRecord, subject); ok {
			t.Errorf("%q was taken for %s", subject, k)
		}
	}
}
