package partitioned

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
)

// noMessage is the server's code for a subject that has none.
const noMessage = 10037

// Last returns the last record of a partition; its zero value says that there is none. It
// asks the stream's leader: where direct gets are allowed, the library's own call asks
// any replica, which may not know the newest one.
func (s Stream) Last(ctx context.Context, nc *nats.Conn, partition int) (Record, error) {
	subject := s.Subject(partition)
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return Record{}, err
	}
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+s.Name, request)
	if err != nil {
		return Record{}, fmt.Errorf("the last record of %s: %w", subject, err)
	}
	var answer struct {
		Error *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
		Message struct {
			Data []byte `json:"data"`
		} `json:"message"`
	}
	err = json.Unmarshal(m.Data, &answer)
	switch {
	case err != nil:
		return Record{}, fmt.Errorf("the last record of %s: %w", subject, err)
	case answer.Error != nil && answer.Error.Code == noMessage:
		return Record{}, nil
	case answer.Error != nil:
		return Record{}, fmt.Errorf("the last record of %s: %s", subject, answer.Error.Description)
	}
	r, err := ParseRecord(answer.Message.Data)
	if err != nil {
		return Record{}, fmt.Errorf("the last message of %s is no record: %w", subject, err)
	}
	return r, nil
}
