package heartbeat

import "strings"

// Guarantees is what a group service promises. The coordinator logs them, and refuses a service
// that promises less than coordinator.Config.Require.
type Guarantees struct {
	// FencedCommit: the service accepts a checkpoint only from the current owner of the shard.
	// It recognizes the owner by the epoch if Epochs is set, otherwise by the member's name.
	FencedCommit bool
	// AckedRevoke: a revoked shard changes hands only after its holder has seen the
	// revocation and has stopped listing the shard, or after the holder's lease has expired.
	// Such a service uses Seq and Instance of a Heartbeat: it drops a heartbeat that arrives
	// after a newer one, and distinguishes the instances of a member.
	AckedRevoke bool
	// Ordered: the children of a split shard wait for their ancestors. It is a setting of the
	// group: see Client.Info.
	Ordered bool
	// Epochs: every grant has an epoch of its own, and the epochs of a shard only rise.
	Epochs bool
	// Push: the client is a Notifier.
	Push bool
	// Leave: the client is a Leaver.
	Leave bool
	// Completion: the service tells its members when every shard is complete
	// (Answer.Complete).
	Completion bool
}

// Missing returns the guarantees that want has and g lacks. The zero value: none is missing.
func (g Guarantees) Missing(want Guarantees) Guarantees {
	return Guarantees{
		FencedCommit: want.FencedCommit && !g.FencedCommit,
		AckedRevoke:  want.AckedRevoke && !g.AckedRevoke,
		Ordered:      want.Ordered && !g.Ordered,
		Epochs:       want.Epochs && !g.Epochs,
		Push:         want.Push && !g.Push,
		Leave:        want.Leave && !g.Leave,
		Completion:   want.Completion && !g.Completion,
	}
}

// String lists what is set: "FencedCommit, Epochs", or "none".
func (g Guarantees) String() string {
	var names []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{g.FencedCommit, "FencedCommit"}, {g.AckedRevoke, "AckedRevoke"}, {g.Ordered, "Ordered"},
		{g.Epochs, "Epochs"}, {g.Push, "Push"}, {g.Leave, "Leave"}, {g.Completion, "Completion"},
	} {
		if f.set {
			names = append(names, f.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}
