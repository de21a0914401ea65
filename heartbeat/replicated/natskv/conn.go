package natskv

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Options returns the recommended options for the connection of a group. Append your own,
// such as credentials and TLS.
//
// A connection with these options reconnects for ever. It may start before the servers. When
// it is lost, it tries one server every 0.5 to 1 s: the servers of the URL and the other
// servers of their cluster. A dial takes 2 s at most. If a server has not answered a ping
// for 4.5 s, the connection tries another server. Within the default TTL, that leaves time
// for three more heartbeats.
//
// It also retries after a server has refused its credentials. By default, nats.go closes a
// connection when a server refuses it twice. All workers would then end while an operator
// changes the credentials on one server after the other.
//
// If the program closes the connection, its workers end with an error that matches
// nats.ErrConnectionClosed.
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
