package natskv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/shardset"
)

// documented returns the subjects that doc.go lists for a namespace, to publish and to
// subscribe to.
func documented(t *testing.T, namespace string) (publish, subscribe []string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, listed, _ := strings.Cut(string(text), "// # Permissions")
	listed, _, _ = strings.Cut(listed, "\n// # ")
	list := &publish
	for line := range strings.Lines(listed) {
		if !strings.HasPrefix(line, "//\t") {
			continue
		}
		for _, word := range strings.Fields(line) {
			if word == "subscribe" {
				list = &subscribe
			}
			if !strings.HasPrefix(word, "$") && !strings.HasPrefix(word, "_") && !strings.HasPrefix(word, "rollcall.") {
				continue
			}
			word = strings.ReplaceAll(word, "<namespace>", namespace)
			if strings.Contains(word, "<stream>") {
				*list = append(*list, strings.ReplaceAll(word, "<stream>", "KV_G_"+namespace))
				word = strings.ReplaceAll(word, "<stream>", "KV_M_"+namespace)
			}
			*list = append(*list, word)
		}
	}
	return publish, subscribe
}

// guarded starts a server with an operator, and a worker with limited permissions.
func guarded(t *testing.T, publish, subscribe []string) *embedded.Server {
	return lone(t, embedded.Config{Adjust: func(o *server.Options) {
		o.Users = []*server.User{{Username: "operator"}, {Username: "worker", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: publish},
			Subscribe: &server.SubjectPermission{Allow: subscribe},
		}}}
	}})
}

// The permissions that doc.go lists are sufficient, and each is used.
func TestRights(t *testing.T) {
	const namespace = "guarded"
	allowed, subscribe := documented(t, namespace)
	s := guarded(t, allowed, subscribe)
	operator := open(t, s, Config{Namespace: namespace}, nats.UserInfo("operator", ""), nats.NoEcho())
	requests, err := operator.conn.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var violations []error
	worker := open(t, s, Config{Namespace: namespace}, nats.UserInfo("worker", ""),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			mu.Lock()
			defer mu.Unlock()
			violations = append(violations, err)
		}))
	work := func() {
		for _, k := range []replicated.Key{
			{Kind: replicated.KindDocument}, recordOf("a"), {Kind: replicated.KindCheckpoint, Name: "orders.0"},
		} {
			deleted(t, worker, k, swapped(t, worker, k, 0))
			swapped(t, worker, k, 0)
		}
		told(t, worker, replicated.KindDocument)
		told(t, worker, replicated.KindRecord)
	}
	work()
	for _, b := range []*bucket{worker.documents, worker.records} {
		cfg := boundTo(t, b).CachedInfo().Config
		cfg.AllowDirect = true
		if _, err := api(t, operator.documents).UpdateStream(soon(t), cfg); err != nil {
			t.Fatal(err)
		}
		b.forget(boundTo(t, b))
		boundTo(t, b)
	}
	if _, err := worker.records.replace(soon(t), boundTo(t, worker.records).CachedInfo().Config); err != nil {
		t.Error(err)
	}
	to := Config{Conn: worker.conn, Namespace: namespace, Group: "copy"}
	if err := Copy(soon(t), Config{Conn: worker.conn, Namespace: namespace, Group: "orders"}, to); err != nil {
		t.Error(err)
	}
	if err := errors.Join(worker.conn.Flush(), operator.conn.Flush()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(violations) > 0 {
		t.Errorf("with the permissions in doc.go the worker met %v", violations)
	}
	idle := slices.Clone(allowed)
	for {
		m, err := requests.NextMsg(200 * time.Millisecond)
		if err != nil {
			break
		}
		idle = slices.DeleteFunc(idle, func(right string) bool {
			prefix := strings.TrimRight(right, "*>")
			return m.Subject == right || prefix != right && strings.HasPrefix(m.Subject, prefix)
		})
	}
	if len(idle) > 0 || len(allowed) == 0 {
		t.Errorf("of the permissions in doc.go, %q, the worker did not use %q", allowed, idle)
	}
}

// A user without permission to delete the lost bucket gets an error: the server does not
// answer.
func TestReplaceWithoutTheRight(t *testing.T) {
	const namespace = "guarded"
	right := "$JS.API.STREAM.DELETE.KV_M_" + namespace
	allowed, subscribe := documented(t, namespace)
	allowed = slices.DeleteFunc(allowed, func(s string) bool { return s == right })
	worker := open(t, guarded(t, allowed, subscribe), Config{Namespace: namespace}, nats.UserInfo("worker", ""),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	swapped(t, worker, recordOf("a"), 0)
	cfg := boundTo(t, worker.records).CachedInfo().Config
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := worker.records.replace(ctx, cfg)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no permission to publish to %q", right)) || !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("without the right to delete it, the bucket was made anew with %v", err)
	}
}

// A watch whose user may not publish or receive hints ends, and its error names the missing
// permission. Other calls of the store work.
func TestHintsWithoutTheRight(t *testing.T) {
	const namespace = "guarded"
	publish, subscribe := documented(t, namespace)
	not := func(s string) bool { return strings.HasPrefix(s, "rollcall.") }
	for what, s := range map[string]*embedded.Server{
		"publish":   guarded(t, slices.DeleteFunc(slices.Clone(publish), not), subscribe),
		"subscribe": guarded(t, publish, slices.DeleteFunc(slices.Clone(subscribe), not)),
	} {
		worker := open(t, s, Config{Namespace: namespace, TTL: time.Second}, nats.UserInfo("worker", ""),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		document := replicated.Key{Kind: replicated.KindDocument}
		at := swapped(t, worker, document, 0)
		err := worker.Watch(soon(t), replicated.KindDocument, func(replicated.Event) { t.Error("it reported something") })
		if !errors.Is(err, errNoHints) || !strings.Contains(err.Error(), "rollcall.guarded.>") || !errors.Is(err, nats.ErrPermissionViolation) ||
			!errors.Is(err, heartbeat.ErrUnauthorized) || !heartbeat.Retryable(err) {
			t.Errorf("without the right to %s, a watch of the document returned %v", what, err)
		}
		if v, err := worker.Get(soon(t), document); err != nil || v.Revision != at {
			t.Errorf("without the right to %s, a read returned %+v, %v", what, v, err)
		}
	}
}

// A group works without hints. Its log and its client report what is missing.
func TestGroupWithoutHints(t *testing.T) {
	const namespace = "guarded"
	publish, subscribe := documented(t, namespace)
	subscribe = slices.DeleteFunc(subscribe, func(s string) bool { return strings.HasPrefix(s, "rollcall.") })
	worker := open(t, guarded(t, publish, subscribe), Config{Namespace: namespace}, nats.UserInfo("worker", ""),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	core, logs := observer.New(zap.WarnLevel)
	c, err := New(Config{Conn: worker.conn, Group: "orders", Namespace: namespace, TTL: 4 * time.Second,
		Shards: shardset.Range("orders", 4), Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := shardset.Heartbeat{Member: "a", Instance: 1}
	// Nothing tells of what the log and Degraded say: so the member beats until they say it.
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		r.Seq++
		a, err := c.Beat(soon(t), r)
		if err != nil {
			t.Fatal(err)
		}
		r.Held, r.Generation = a.Grants, a.Generation
		_, why := c.Degraded()
		warned := logs.FilterMessageSnippet("the watch of the group's document does not work").All()
		if len(a.Grants) == 4 && errors.Is(why, errNoHints) && len(warned) > 0 {
			if text := fmt.Sprint(warned[0].ContextMap()["error"]); !strings.Contains(text, "subscribe to rollcall.guarded.>") {
				t.Errorf("the log says %s", text)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after 20 s the member has %d shards, the client is degraded by %v, and the log has %v", len(a.Grants), why, warned)
		}
	}
}

// The error of a call names a missing permission at once. The server does not answer, so
// the call would otherwise only time out.
func TestMissingRightIsNamed(t *testing.T) {
	const namespace = "guarded"
	document := replicated.Key{Kind: replicated.KindDocument}
	swap := func(k replicated.Key) func(context.Context, *store) error {
		return func(ctx context.Context, s *store) error { _, err := s.Swap(ctx, k, 0, []byte("x")); return err }
	}
	get := func(ctx context.Context, s *store) error { _, err := s.Get(ctx, document); return err }
	watch := func(kind replicated.Kind) func(context.Context, *store) error {
		return func(ctx context.Context, s *store) error { return s.Watch(ctx, kind, func(replicated.Event) {}) }
	}
	direct := func(t *testing.T, s *store) {
		cfg := boundTo(t, s.documents).CachedInfo().Config
		cfg.AllowDirect = true
		if _, err := api(t, s.documents).UpdateStream(soon(t), cfg); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		right  string // that the worker has not
		named  string // as what it says so; empty: the right itself
		before func(t *testing.T, operator *store)
		do     func(ctx context.Context, s *store) error
	}{
		{right: "$KV.G_guarded.>", named: "$KV.G_guarded.orders.doc", do: swap(document)},
		{right: "$KV.M_guarded.>", named: "$KV.M_guarded.", do: swap(recordOf("a"))},
		{right: "$JS.API.STREAM.INFO.KV_G_guarded", do: get},
		{right: "$JS.API.STREAM.MSG.GET.KV_G_guarded", do: get},
		{right: "$JS.API.STREAM.CREATE.KV_G_guarded", do: swap(document)},
		{right: "$JS.API.STREAM.UPDATE.KV_G_guarded", before: direct, do: get},
		{right: "$JS.API.CONSUMER.CREATE.KV_M_guarded.>", named: "$JS.API.CONSUMER.CREATE.KV_M_guarded.", do: watch(replicated.KindRecord)},
		{right: "_INBOX.>", named: "_INBOX.", do: get},
	} {
		t.Run(c.right, func(t *testing.T) {
			publish, subscribe := documented(t, namespace)
			not := func(s string) bool { return s == c.right }
			listed := len(publish) + len(subscribe)
			publish, subscribe = slices.DeleteFunc(publish, not), slices.DeleteFunc(subscribe, not)
			if len(publish)+len(subscribe) != listed-1 {
				t.Fatalf("doc.go does not list %q", c.right)
			}
			s := guarded(t, publish, subscribe)
			operator := open(t, s, Config{Namespace: namespace}, nats.UserInfo("operator", ""))
			if c.right != "$JS.API.STREAM.CREATE.KV_G_guarded" {
				swapped(t, operator, replicated.Key{Kind: replicated.KindCheckpoint, Name: "orders.0"}, 0)
				swapped(t, operator, recordOf("b"), 0)
			}
			if c.before != nil {
				c.before(t, operator)
			}
			heard := make(chan error, 100)
			worker := open(t, s, Config{Namespace: namespace}, nats.UserInfo("worker", ""),
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { heard <- err }))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := c.do(ctx, worker)
			if ctx.Err() != nil {
				t.Fatalf("it took all its time: %v", err)
			}
			named := cmp.Or(c.named, c.right)
			if err == nil || !strings.Contains(err.Error(), `no permission to `) || !strings.Contains(err.Error(), `"`+named) {
				t.Errorf("it does not name %q: %v", named, err)
			}
			if !errors.Is(err, nats.ErrPermissionViolation) || !errors.Is(err, heartbeat.ErrUnauthorized) || !heartbeat.Retryable(err) {
				t.Errorf("it is no refusal that may pass: %v", err)
			}
			select {
			case err := <-heard:
				if !errors.Is(err, nats.ErrPermissionViolation) {
					t.Errorf("the program's handler heard %v", err)
				}
			case <-ctx.Done():
				t.Error("the program's own handler hears nothing any more")
			}
		})
	}
}

// The group ignores permission violations of the program's own requests.
func TestRefusalsOfTheProgram(t *testing.T) {
	var r violations
	r.inboxes, r.waiting = "_INBOX.", map[*request]struct{}{}
	refused := 0
	r.waiting[&request{subject: "$KV.G_a.orders.doc", refuse: func(error) { refused++ }}] = struct{}{}
	for _, c := range []struct {
		text string
		want int
	}{
		{`Permissions Violation for Subscription to "audit.>"`, 0},
		{`Permissions Violation for Publish to "audit.orders"`, 0},
		{`Permissions Violation for Publish to "$KV.G_a.orders.doc.x"`, 0},
		{`Permissions Violation`, 0},
		{`Permissions Violation for Publish to "$KV.G_a.orders.doc"`, 1},
		{`Permissions Violation for Subscription to "_INBOX.abc.*"`, 1},
	} {
		refused = 0
		r.onError(fmt.Errorf("%w: %s", nats.ErrPermissionViolation, c.text))
		if refused != c.want {
			t.Errorf("%s: %d requests ended, want %d", c.text, refused, c.want)
		}
	}
	r.onError(errors.New(`Permissions Violation for Publish to "$KV.G_a.orders.doc"`))
	r.onError(nats.ErrSlowConsumer)
	if refused != 1 {
		t.Error("another error was taken for a refusal")
	}
}

// A permission violation of the program is not reported as the reason why its connection is
// closed.
func TestMissingRightClosesNoConnection(t *testing.T) {
	const namespace = "guarded"
	publish, subscribe := documented(t, namespace)
	heard := make(chan error, 1)
	worker := open(t, guarded(t, publish, subscribe), Config{Namespace: namespace}, nats.UserInfo("worker", ""),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { heard <- err }))
	if err := worker.conn.Publish("audit", nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-heard:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the connection has not heard that it lacks the right")
	}
	worker.conn.Close()
	_, err := worker.Get(soon(t), documentOf)
	if !errors.Is(err, nats.ErrConnectionClosed) || strings.Contains(err.Error(), "audit") {
		t.Errorf("on a closed connection a read returned %v", err)
	}
}
