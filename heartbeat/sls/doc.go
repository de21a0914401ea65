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
//   - The service has no epochs. The coordinator makes the epoch of a lease from the member's
//     clock; see shardset.Lease.
//   - The service does not carry the sequence number and the generation of a heartbeat. A heartbeat
//     that arrives late can release a shard that its sender holds again. So the client does not
//     promise AckedRevoke.
//   - The service has no call to leave a group, and it cannot push.
//
// A lease lasts as long as the group's timeout in the service, whatever the Config says. The client
// reads the timeout again every 30 seconds, in the background. If you shorten the timeout while
// members run, a member works too long on its old lease until it has read the new timeout.
//
// The service is eventually consistent: a list or a node may not show a new logstore or group yet.
// If the logstore is missing, or a group that existed before, the client therefore returns a
// retryable error for the length of one lease. After that the error is final.
//
// # Clocks
//
// The service dates its events, such as the creation of a shard, by its own clock. The client
// compares the Date header of the answers with this machine's clock; ClockOffset returns the
// difference. The client logs a difference of more than a second, at most once a minute and only
// when it changes. The service refuses requests when the difference exceeds 15 minutes.
//
// # Connections
//
// A client has two pools of HTTP/1.1 connections, so that data cannot delay heartbeats. Config.TLS
// sets your own certificate authority or client certificate. Config.Proxy sets a proxy; without it
// the client uses the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY. With Config.Transport all
// requests share its connections.
//
// If a request on a used connection gets no answer in time, the client stops using that connection.
// Over HTTP/2, one more request may use it; only a Config.Transport can speak HTTP/2.
//
// # Errors
//
//   - *Error: the service refused the request.
//   - *TransportError: the service did not answer. This includes the answers of a proxy, a portal
//     or a load balancer, whatever their status.
//   - *ResponseError: the service answered with something that the client cannot use.
//   - *UsageError: an argument is wrong. The client did not send the request.
//
// The client does not retry, with one exception: if the service refuses the credentials of a
// request and the provider has others, the client repeats the request once. If the service refuses
// credentials of Static or FromEnv before it has ever accepted them, the error is permanent:
// nothing can change them. In all other cases the coordinator retries heartbeats with new
// credentials while the lease lasts.
package sls
