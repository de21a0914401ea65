package natskv

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Options returns the recommended options for the connection of a group. Append your own,
// such as credentials and TLS.
//
// A connection with these options never gives up. It may start before the servers. After a
// loss it tries one server every 0.5 to 1 s, those of the URL and those of their cluster. A
// dial takes 2 s at most. The connection leaves a server that has not answered a ping for
// 4.5 s, which is short enough for three more heartbeats within the default TTL. It also
// retries after a server has refused its credentials. By default, nats.go closes a
// connection when a server refuses it twice, so a change of credentials on one server after
// the other would end all workers.
//
// If the connection is closed, by the program for instance, its workers end: their error
// matches nats.ErrConnectionClosed and is final.
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
