package group_test

import (
	"errors"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// serve passes one heartbeat to the group. said is what the member truly said, b
// what arrived; a mutant makes the two differ.
func (w *world) serve(p *proc, said shardset.Heartbeat, b shardset.Heartbeat) (shardset.Answer, error) {
	w.group.Expire(w.serviceTime())
	w.served()
	before := w.snap
	b = w.sc.mutant.arriving(w, b)
	a, err := w.group.Beat(w.serviceTime(), b)
	if err != nil && !errors.Is(err, shardset.ErrEvicted) && !errors.Is(err, shardset.ErrStaleHeartbeat) && !errors.Is(err, shardset.ErrReplaced) {
		w.fail("beat of %s: %v", p, err)
	}
	if errors.Is(err, shardset.ErrStaleHeartbeat) {
		w.stats.staleBeats++
	}
	w.log("service: beat of %s seq %d instance %d gen %d held %v: %v %v", p.name, said.Seq, said.Instance, said.Generation, said.Held, a.Grants, err)
	granted, revoked := map[shardset.ID]uint64{}, map[shardset.ID]uint64{}
	for id, c := range w.cells {
		granted[id], revoked[id] = c.granted, c.revoked
	}
	w.served()
	if err == nil && a.Complete {
		w.checkAllDone(p)
	}
	if err == nil {
		w.checkSilence(p, said, before, granted, revoked)
	}
	return a, err
}

// checkSilence verifies that a heartbeat takes no shard from its sender by leaving
// out what the sender had not heard of, unless it leaves and will take nothing more.
func (w *world) checkSilence(p *proc, said shardset.Heartbeat, before group.Snapshot, granted, revoked map[shardset.ID]uint64) {
	k := slices.IndexFunc(before.Members, func(m group.MemberInfo) bool { return m.Name == p.name })
	if said.Leaving || k < 0 || before.Members[k].Instance != said.Instance || w.now < w.recoverUntil+simTTL && w.recoverUntil > 0 {
		return
	}
	for _, s := range before.Shards {
		if s.Owner != p.name || slices.ContainsFunc(said.Held, func(g shardset.Grant) bool { return g.ID == s.ID }) {
			continue
		}
		unheard := said.Generation < granted[s.ID] || s.State == group.StateTransfer && said.Generation < revoked[s.ID]
		if unheard && !w.out[s.ID] && w.last[s.ID].Epoch != s.Epoch {
			w.fail("%s, which has heard of generation %d, lost shard %s, granted in %d, revoked in %d, by not listing it",
				p, said.Generation, s.ID, granted[s.ID], revoked[s.ID])
		}
	}
}

// checkGroup follows every event of the service.
func (w *world) checkGroup() {
	if err := w.group.Check(); err != nil {
		w.fail("%v", err)
	}
	w.snap = w.group.Snapshot()
	for _, s := range w.snap.Shards {
		c, was := w.cells[s.ID], w.last[s.ID]
		w.last[s.ID] = s // and stays, when the shard is taken out
		if s.State == group.StateTransfer && was.State != group.StateTransfer {
			c.revoked = w.snap.Generation
		} else if s.Owner != "" && (was.Epoch != s.Epoch || was.Owner == "") {
			w.granted(s, was)
			c.granted = w.snap.Generation
		}
	}
}

// granted checks one new grant: it goes to the living, under a new epoch.
func (w *world) granted(s, was group.ShardInfo) {
	c := w.cells[s.ID]
	k := slices.IndexFunc(w.snap.Members, func(m group.MemberInfo) bool { return m.Name == s.Owner })
	if k < 0 || !w.snap.Members[k].Expires.After(w.serviceTime()) {
		w.fail("shard %s is granted to %q, whose lease is over", s.ID, s.Owner)
		return
	}
	if w.now < w.recoverUntil {
		w.stats.adopted++
		return // taken back, under an epoch that it had
	}
	if s.Epoch <= c.newest {
		w.fail("shard %s is granted with epoch %d after %d", s.ID, s.Epoch, c.newest)
	}
	c.newest = s.Epoch
	if was.Owner != s.Owner {
		w.stats.handovers++
	}
}

// storeCommit is the checkpoint store: it asks the group who owns the shard.
func (w *world) storeCommit(r *run, tok group.Token, pos int) error {
	err := w.group.Fence(w.serviceTime(), tok)
	w.served()
	id := r.lease.ID
	c, s := w.cells[id], w.last[id]
	if err == nil && tok.Epoch != 0 && tok.Epoch < c.epoch {
		// A service that forgot may take a late message of a dead process for its
		// owner's. The store, which forgets nothing, knows the epoch of its checkpoint.
		err = shardset.ErrNotOwner
	}
	if err != nil {
		w.stats.fenced++
		if !errors.Is(err, shardset.ErrNotOwner) {
			w.fail("fence: %v", err)
		}
		if r.believes() && w.now >= w.recoverUntil && !w.out[id] {
			w.fail("false fencing of %s, shard %s epoch %d: %v", r.p, id, r.lease.Epoch, err)
		}
		return err
	}
	if s.Owner != r.p.name || s.Epoch != r.lease.Epoch && w.sc.mutant != stripEpochs {
		w.fail("a commit of %s, shard %s epoch %d, was taken while %q owns epoch %d", r.p, id, r.lease.Epoch, s.Owner, s.Epoch)
	}
	if pos < c.committed {
		w.fail("the checkpoint of shard %s goes back from %d (epoch %d) to %d (%s, epoch %d)", id, c.committed, c.epoch, pos, r.p, r.lease.Epoch)
	}
	w.stats.commits++
	c.committed, c.epoch = pos, r.lease.Epoch
	return nil
}

// believes reports whether the run has not returned and its own clock says that
// the lease holds.
func (r *run) believes() bool { return r.p.alive && !r.returned && r.leased() }

// checkBelievers verifies that nobody else believes in what p believes. Time passing
// only takes believers away, so it is enough to look when a run starts or a lease grows.
func (w *world) checkBelievers(p *proc) {
	for _, id := range w.shards {
		r := p.runs[id]
		if r == nil || !r.believes() {
			continue
		}
		for _, o := range w.cells[id].running {
			if o != r && o.believes() {
				w.fail("two believers of shard %s: %s epoch %d and %s epoch %d", id, p, r.lease.Epoch, o.p, o.lease.Epoch)
			}
		}
	}
}

// checkOwned verifies that every shard has a live owner.
func (w *world) checkOwned() {
	w.group.Expire(w.serviceTime())
	w.served()
	for _, s := range w.snap.Shards {
		if !slices.ContainsFunc(w.procs, func(p *proc) bool { return p.alive && p.name == s.Owner }) {
			w.fail("shard %s is %s with %q, %v after the last fault", s.ID, s.State, s.Owner, simHeal)
		}
	}
}

// checkAllDone verifies what an answer to p says: that nothing is left to do.
func (w *world) checkAllDone(p *proc) {
	for _, id := range w.shards {
		if c := w.cells[id]; !w.out[id] && c.committed < simEnd {
			w.fail("%s is told that all is done, and the checkpoint of shard %s is %d of %d", p, id, c.committed, simEnd)
		}
	}
}

// checkFinished verifies that the work was done, and that nobody stays for more.
func (w *world) checkFinished() {
	for _, id := range w.shards {
		if c := w.cells[id]; c.committed != simEnd {
			w.fail("shard %s is at %d of %d records long after the last fault", id, c.committed, simEnd)
		}
	}
	for _, p := range w.procs {
		if p.alive && !p.left {
			w.fail("all is done, and %s is still there", p)
		}
	}
}

// checkWorking verifies that somebody works on every shard.
func (w *world) checkWorking() {
	for _, id := range w.shards {
		if !slices.ContainsFunc(w.procs, func(p *proc) bool { r := p.runs[id]; return r != nil && r.believes() }) {
			w.fail("nobody works on shard %s", id)
		}
	}
}
