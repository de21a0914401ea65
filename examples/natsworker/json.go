package main

import (
	"encoding/json"
	"time"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/source"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// messageLine is a line of -output messages.
type messageLine struct {
	Time      time.Time `json:"time"`
	Partition int       `json:"partition"`
	Sequence  uint64    `json:"sequence"`
	Number    int64     `json:"number,omitempty"`
	Data      string    `json:"data"`
}

// batchLine is a line of -output batches.
type batchLine struct {
	Began    time.Time          `json:"began"`
	At       time.Time          `json:"at"`
	Member   string             `json:"member"`
	Shard    int                `json:"shard"`
	Epoch    uint64             `json:"epoch"`
	From     processor.Position `json:"from"`
	Next     processor.Position `json:"next"`
	Messages int                `json:"messages"`
	Bytes    int64              `json:"bytes"`
	*Numbers
}

// Numbers is in the line if the messages are records.
type Numbers struct {
	First  int64   `json:"first"`
	Last   int64   `json:"last"`
	Breaks int     `json:"breaks"`
	Wait   float64 `json:"wait_ms_max"`
}

// appendBatch appends the line of a batch.
func appendBatch(b []byte, member string, of *batch.Batch[source.Message], c contents) []byte {
	line := batchLine{
		Began: c.began.UTC(), At: c.at.UTC(), Member: member, Shard: of.ID().Number, Epoch: of.Lease().Epoch, From: of.From, Next: of.Next,
		Messages: c.messages, Bytes: c.bytes,
	}
	if c.records > 0 {
		line.Numbers = &Numbers{
			First: c.first, Last: c.last, Breaks: c.breaks, Wait: float64(c.wait.Microseconds()) / 1000,
		}
	}
	return appendLine(b, line)
}

// appendMessage appends the line of a message: of a record, the line that was put.
func appendMessage(b []byte, partition int, m source.Message) []byte {
	line := messageLine{Time: m.Time.UTC(), Partition: partition, Sequence: m.Sequence, Data: string(m.Data)}
	if r, err := partitioned.ParseRecord(m.Data); err == nil {
		line.Number, line.Data = r.Number, string(r.Line)
	}
	return appendLine(b, line)
}

func appendLine(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of this program that is no JSON
	}
	b = append(b, text...)
	return append(b, '\n')
}
