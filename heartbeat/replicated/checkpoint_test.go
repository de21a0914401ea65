package replicated

import (
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
)

func TestCheckpointRoundTrip(t *testing.T) {
	for _, cp := range []checkpoint{
		{}, {member: "a", instance: 1, epoch: 1}, {member: "worker \x00 ä", instance: 1 << 63, epoch: state.MaxEpoch, position: "12"},
		{position: processor.Position([]byte{0, 1, 255})},
	} {
		data := cp.encode()
		if got, err := decodeCheckpoint(data); err != nil || got != cp {
			t.Errorf("%+v comes back as %+v, %v", cp, got, err)
		}
		for n := range len(data) - len(cp.position) {
			if got, err := decodeCheckpoint(data[:n]); err == nil {
				t.Errorf("the first %d bytes of %+v were taken for %+v", n, cp, got)
			}
		}
	}
	if _, err := decodeCheckpoint([]byte{2, 0, 0, 0}); err == nil {
		t.Error("a checkpoint of format 2 was read")
	}
	damaged := checkpoint{member: "a", instance: 1, epoch: 2*state.MaxEpoch + 1}
	if _, err := decodeCheckpoint(damaged.encode()); err == nil {
		t.Error("an epoch was believed that no group reaches")
	}
}

func FuzzCheckpoint(f *testing.F) {
	cp := checkpoint{member: "a", instance: 7, epoch: 9, position: "12"}
	f.Add(cp.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		cp, err := decodeCheckpoint(data)
		if err != nil {
			return
		}
		if again, err := decodeCheckpoint(cp.encode()); err != nil || again != cp {
			t.Errorf("%+v comes back as %+v, %v", cp, again, err)
		}
	})
}
