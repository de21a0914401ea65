package heartbeat

import "strings"

// Guarantees says what a group service can promise beyond the heartbeat itself. The
// coordinator logs them, and refuses a service that has less than it was told to
// require.
type Guarantees struct {
	// FencedCommit: a checkpoint from any but the present owner is refused. By
	// epoch where Epochs is set, by the member's name otherwise.
	FencedCommit bool
	// AckedRevoke: a revoked shard changes hands only after its holder, having
	// heard of the revocation, has stopped listing it, or its lease has ended. This
	// takes a service that keeps the numbers of a Heartbeat: it drops heartbeats that a
	// newer one overtook, and knows the instances of a name.
	AckedRevoke bool
	// Ordered: the children of a split shard wait for their ancestors. It is the group's;
	// see Client.Info.
	Ordered bool
	// Epochs: every grant has a number of its own that only rises.
	Epochs bool
	// Push: the client is a Notifier.
	Push bool
	// Leave: the client is a Leaver.
	Leave bool
	// Finish: the service tells its members when every shard is done:
	// Answer.Complete.
	Finish bool
}

// Missing returns what want has and g has not. The zero value means nothing.
func (g Guarantees) Missing(want Guarantees) Guarantees {
	return Guarantees{
		FencedCommit: want.FencedCommit && !g.FencedCommit,
		AckedRevoke:  want.AckedRevoke && !g.AckedRevoke,
		Ordered:      want.Ordered && !g.Ordered,
		Epochs:       want.Epochs && !g.Epochs,
		Push:         want.Push && !g.Push,
		Leave:        want.Leave && !g.Leave,
		Finish:       want.Finish && !g.Finish,
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
		{g.Epochs, "Epochs"}, {g.Push, "Push"}, {g.Leave, "Leave"}, {g.Finish, "Finish"},
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
