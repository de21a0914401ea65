package replicated

import (
	"encoding/binary"
	"errors"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// checkpoint is the position of one shard, and the owner that claimed it.
type checkpoint struct {
	member   string
	instance uint64
	epoch    uint64
	position processor.Position
}

// token is the fencing token of the owner. It is compared as a whole: if the store has lost writes,
// the group can grant one epoch twice, but never to one instance.
func (cp *checkpoint) token(id shardset.ID) group.Token {
	return group.Token{Member: cp.member, Instance: cp.instance, ID: id, Epoch: cp.epoch}
}

const checkpointFormat = 1

var errCheckpoint = errors.New("the stored position is damaged, or of a later version of this package")

func (cp *checkpoint) encode() []byte {
	b := make([]byte, 0, 32+len(cp.member)+len(cp.position))
	b = append(b, checkpointFormat)
	b = binary.AppendUvarint(b, cp.epoch)
	b = binary.AppendUvarint(b, cp.instance)
	b = binary.AppendUvarint(b, uint64(len(cp.member)))
	b = append(b, cp.member...)
	return append(b, cp.position...)
}

func decodeCheckpoint(data []byte) (checkpoint, error) {
	if len(data) == 0 || data[0] != checkpointFormat {
		return checkpoint{}, errCheckpoint
	}
	rest := data[1:]
	var n [3]uint64
	for i := range n {
		v, k := binary.Uvarint(rest)
		if k <= 0 {
			return checkpoint{}, errCheckpoint
		}
		n[i], rest = v, rest[k:]
	}
	if n[0] > 2*state.MaxEpoch || n[2] > uint64(len(rest)) {
		return checkpoint{}, errCheckpoint
	}
	return checkpoint{
		epoch: n[0], instance: n[1], member: string(rest[:n[2]]), position: processor.Position(rest[n[2]:]),
	}, nil
}
