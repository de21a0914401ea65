package natskv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ServerSync says when a server syncs its writes to disk.
type ServerSync struct {
	// Name, ID and Cluster identify the server. Cluster is empty for a server without a
	// cluster.
	Name, ID, Cluster string
	// JetStream says whether the server has JetStream. A server without it stores nothing.
	JetStream bool
	// Always says that the server syncs each write before it acknowledges it.
	Always bool
	// Interval is the time between two syncs if Always is false. If the server loses power,
	// the writes of the last Interval can be lost.
	Interval time.Duration
}

// answerPause is how long CheckSync waits for one more answer.
const answerPause = 500 * time.Millisecond

// CheckSync asks all servers whether they acknowledge a write before it is on disk. It
// collects answers until none has come for half a second, or until ctx ends, and returns
// them sorted by name. If ctx has no deadline, it waits ten seconds for the first answer.
//
// Only the system account may ask this. So system must be a separate connection, as the user
// sys or as a user of the servers' system_account. An ordinary account gets no answer. If no
// server answers, CheckSync returns an error.
func CheckSync(ctx context.Context, system *nats.Conn) ([]ServerSync, error) {
	inbox := system.NewInbox()
	answers, err := system.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("natskv: %w", err)
	}
	defer func() { _ = answers.Unsubscribe() }() // it fails when it has ended anyway
	if err := system.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, nil); err != nil {
		return nil, fmt.Errorf("natskv: %w", err)
	}
	var found []ServerSync
	for {
		m, err := next(ctx, answers, len(found) > 0)
		if err != nil && len(found) > 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("natskv: no server answered; is this a connection of the system account? %w", err)
		}
		s, err := decodeSync(m.Data)
		if err != nil {
			return nil, fmt.Errorf("natskv: a server's answer: %w", err)
		}
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b ServerSync) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return found, nil
}

// next waits for an answer, but only for answerPause if there is an answer already (more).
func next(ctx context.Context, answers *nats.Subscription, more bool) (*nats.Msg, error) {
	if more {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerPause)
		defer cancel()
	}
	bounded, cancel := bound(ctx)
	defer cancel()
	m, err := answers.NextMsgWithContext(bounded)
	if err == nil && m.Header.Get("Status") == "503" {
		return nil, nats.ErrNoResponders
	}
	return m, err
}

// decodeSync reads one server's answer to JSZ.
func decodeSync(data []byte) (ServerSync, error) {
	var a struct {
		Server struct{ Name, ID, Cluster string }
		Data   struct {
			Disabled bool
			Config   struct {
				SyncAlways   bool          `json:"sync_always"`
				SyncInterval time.Duration `json:"sync_interval"`
			}
		}
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return ServerSync{}, err
	}
	if a.Error != nil {
		return ServerSync{}, errors.New(a.Error.Description)
	}
	s := ServerSync{Name: a.Server.Name, ID: a.Server.ID, Cluster: a.Server.Cluster, JetStream: !a.Data.Disabled}
	if s.JetStream {
		s.Always, s.Interval = a.Data.Config.SyncAlways, a.Data.Config.SyncInterval
	}
	if s.Always {
		s.Interval = 0
	}
	return s, nil
}
