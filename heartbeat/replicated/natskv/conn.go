package natskv

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Options returns what we advise for a group's connection, to be followed by the
// caller's own: servers, credentials, TLS.
//
// The connection does not give up. It may start without a server, and after a loss it
// tries again every half second, with as much of jitter, on one server after the other:
// those that were named, and those that they name as members of their cluster. A dial
// takes two seconds at most. A server that says nothing for four and a half, because its
// machine or the network is gone, is left: a quarter of the default TTL, so that three
// more heartbeats fit into it. It also tries again where it was refused: by default nats.go
// closes a connection for good when one server refuses its credentials twice, and while
// they are changed on one server after the other that would end workers everywhere.
//
// A connection that is closed all the same, as the program itself may do, ends the workers
// on it: their error matches nats.ErrConnectionClosed, and is final.
func Options() []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(500*time.Millisecond, 500*time.Millisecond),
		nats.Timeout(2 * time.Second),
		nats.PingInterval(1500 * time.Millisecond),
		nats.MaxPingsOutstanding(2),
	}
}
