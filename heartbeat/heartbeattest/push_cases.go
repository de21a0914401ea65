package heartbeattest

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func pushCases() []testCase {
	push := heartbeat.Guarantees{Push: true}
	return []testCase{
		{name: "Push/revoked and released", needs: push, run: pushMoves},
		{name: "Push/lease ended", needs: push, run: pushExpiry},
		{name: "Push/left", needs: heartbeat.Guarantees{Push: true, Leave: true}, run: pushLeave},
		{name: "Push/two watchers", needs: push, run: pushTwo},
		{name: "Push/closed", needs: push, run: pushClosed},
	}
}

// watch watches m's answers until the case ends.
func (k *kit) watch(ctx context.Context, m *member) <-chan struct{} {
	k.Helper()
	wake, err := m.client.(heartbeat.Notifier).Watch(ctx, m.name)
	if err != nil {
		k.Fatalf("Watch of %s: %v", m.name, err)
	}
	return wake
}

// quiet waits until earlier changes send no more values to the channel.
func (k *kit) quiet(wake <-chan struct{}) {
	k.Helper()
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				k.Fatalf("the watch ended before its context")
			}
		case <-time.After(k.slack / 2):
			return
		}
	}
}

// woken fails the test unless wake carries a value in time.
func (k *kit) woken(limit time.Duration, what string, wake <-chan struct{}) {
	k.Helper()
	select {
	case _, ok := <-wake:
		if !ok {
			k.Fatalf("the watch ended; it should have reported that %s", what)
		}
	case <-time.After(limit):
		k.Fatalf("the watch did not report within %v that %s", limit, what)
	}
}

// A member is woken when a shard is revoked from it, and when one is granted to it.
func pushMoves(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a := k.join("a")[0]
	b := k.member("b")
	wakeA, wakeB := k.watch(ctx, a), k.watch(ctx, b)
	k.quiet(wakeA)
	k.answered(b)
	k.woken(k.patience, "shards of a are revoked", wakeA)
	k.quiet(wakeB)
	k.until(k.patience, "a knows of the revocation", func() bool { return len(a.running()) < len(k.ids) }, a)
	k.answered(a) // it no longer reports them
	k.woken(k.patience, "b has what a released", wakeB)
	k.until(k.patience, "a and b share the shards", k.settled(a, b), a, b)
}

// A member is woken when a lease ends, although no heartbeat arrives then.
func pushExpiry(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a, b := k.joinPair()
	k.answered(a)
	k.during(k.ttl/2, "a has stopped, and is still a member", func() bool { return len(b.running()) < len(k.ids) }, b)
	wake := k.watch(ctx, b)
	k.quiet(wake)
	a.crash()
	k.woken(time.Until(a.back.Add(k.expiry())), "b has the shards of a, which has stopped", wake)
	if early := k.ttl - time.Since(a.sent); early > 0 {
		k.Errorf("b was woken %v before a's lease ended", early)
	}
	k.until(k.patience, "b has all shards", holding(b, k.ids...), b)
}

// A member that receives the shards of a leaving member is woken at once.
func pushLeave(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	a, b := k.joinPair()
	wake := k.watch(ctx, b)
	k.quiet(wake)
	k.answered(b)
	k.answered(a)
	a.leave()
	k.woken(k.ttl/2, "b has the shards of a, which left", wake)
	k.until(k.patience, "b has all shards", holding(b, k.ids...), b)
}

// Each watch of a member gets its own values, and continues when another watch ends.
func pushTwo(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	short, end := context.WithCancel(ctx)
	a := k.join("a")[0]
	b := k.member("b")
	first, second := k.watch(ctx, a), k.watch(ctx, a)
	third := k.watch(short, a)
	end()
	k.closed("the context of one watch ended", third)
	k.quiet(first)
	k.quiet(second)
	k.answered(b)
	k.woken(k.patience, "shards of a are revoked", first)
	k.woken(k.patience, "shards of a are revoked", second)
}

// A watch ends when its context ends, even if there are a hundred watches. If the context has ended
// before the call, Watch fails or returns a closed channel.
func pushClosed(k *kit) {
	a := k.join("a")[0]
	ctx, cancel := context.WithCancel(k.Context())
	var all []<-chan struct{}
	for range 100 {
		all = append(all, k.watch(ctx, a))
	}
	cancel()
	for _, wake := range all {
		k.closed("the context ended", wake)
	}
	wake, err := a.client.(heartbeat.Notifier).Watch(ctx, a.name)
	if err == nil {
		k.closed("the context had ended before Watch was called", wake)
	}
}

// closed fails the test unless wake is closed in time.
func (k *kit) closed(why string, wake <-chan struct{}) {
	k.Helper()
	timeout := time.After(k.patience)
	for {
		select {
		case _, ok := <-wake:
			if !ok {
				return
			}
		case <-timeout:
			k.Fatalf("%s, and its channel was not closed within %v", why, k.patience)
		}
	}
}
