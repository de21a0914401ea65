// Package sls is a client of Alibaba Cloud Simple Log Service over net/http. It is the group
// service of a worker (heartbeat.Client, heartbeat.Creator) and its store of checkpoints
// (processor.Checkpoints), and it reads and writes logs.
//
//	client, err := sls.New(sls.Config{
//		Endpoint:    "cn-hangzhou.log.aliyuncs.com",
//		Project:     "my-project",
//		Logstore:    "orders",
//		Group:       "billing",
//		Credentials: sls.FromEnv(),
//	})
//	...
//	defer client.Close()
//
// # What the service promises
//
//   - The service fences a commit by the member's name: it refuses a commit from a member that
//     does not hold the shard. The client never forces a commit.
//   - The service knows no instances. Two processes under one name are one member, and both get
//     all of its shards. The coordinator warns when it finds a position that it did not commit.
//   - The service has no epochs. The coordinator makes those of leases from the member's clock;
//     see shardset.Lease.
//   - The service does not carry the numbers of a heartbeat. A heartbeat that arrives late can
//     release a shard that its sender has taken back. So AckedRevoke is not promised.
//   - The service has no call to leave a group, and no push.
//
// A lease lasts as long as the group's timeout in the service, whatever the Config says. The
// client reads the timeout again every 30 seconds, beside the heartbeats. If you shorten it while
// members run, a member that does not know the new timeout yet holds its shards for too long.
//
// The service is eventually consistent: a list or a node may not know a new logstore or group
// yet. So for one lease the client reports a missing logstore, and a missing group that existed
// before, as an error that is worth a retry.
//
// # Clocks
//
// The service dates its events, such as the creation of a shard, by its own clock. The client
// measures how far that clock is from this machine's by the Date of the answers; ClockOffset
// returns the difference. The client logs a difference of more than a second, once for each
// change. The service refuses requests when the difference exceeds 15 minutes.
//
// # Connections
//
// A client has two pools of HTTP/1.1 connections, so that data cannot delay heartbeats.
// Config.TLS sets an authority or a certificate of your own. Config.Proxy sets a proxy; without
// it the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY count. With Config.Transport all
// requests share its connections. After one or two requests on a connection that got no
// answer in time, the client uses a new connection.
//
// # Errors
//
//   - *Error: the service refused the request. One table, in classify.go, maps its codes.
//   - *TransportError: the service did not answer. That includes answers that a proxy, a portal
//     or a load balancer gave in its place, with any status.
//   - *ResponseError: the service answered with something that the client cannot use.
//   - *UsageError: an argument is wrong. The client did not send the request.
//
// The client does not retry, with one exception: if the service refuses the credentials of a
// request and the provider has others, the client repeats the request once. Refused credentials
// are final with Static and FromEnv before the first success, because nothing can change them. In
// all other cases heartbeats are retried with new credentials while the lease lasts.
package sls
