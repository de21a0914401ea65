package natskv

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Options returns the recommended options for the connection of a group. Append your own:
// credentials, TLS.
//
// A connection with these options never gives up. It may start before the servers. After a
// loss it tries the servers one after the other, those of the URL and those of their
// cluster, every half second to second. A dial takes at most two seconds. A server that
// does not answer pings is left after 4.5 seconds; within the default TTL that leaves time
// for three more heartbeats. The connection also retries after a server has refused its
// credentials. By default, nats.go closes a connection for good when a server refuses it
// twice, so a change of credentials on one server after the other would end all workers.
//
// A connection that is closed, by the program for instance, ends its workers: their error
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
