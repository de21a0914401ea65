// Package sls is a client of Alibaba Cloud Simple Log Service over net/http. A worker uses it as
// its group service (heartbeat.Client, heartbeat.Creator) and as its checkpoint store
// (processor.Checkpoints). It also reads and writes logs.
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
//   - The service does not distinguish instances. If two processes use one name, it sees one
//     member, and both receive all shards of that member. The coordinator logs a warning when it
//     finds a position that it did not commit.
//   - The service has no epochs. The coordinator makes the epoch of a lease from the member's
//     clock; see shardset.Lease.
//   - The service takes neither the sequence number nor the generation of a heartbeat. So a late
//     heartbeat can release a shard that its member holds again, and the client does not promise
//     heartbeat.Guarantees.AckedRevoke.
//   - The service has no call to leave a group, and it cannot notify a member between heartbeats.
//
// A lease lasts as long as the group's timeout in the service, whatever the Config says. The client
// reads the timeout again every 30 seconds, in the background. If you shorten the timeout while
// members run, they keep the old, longer lease until they have read the new timeout. Until then, a
// member that cannot reach the service may still work on shards that the service has granted to
// another member.
//
// The service is eventually consistent: a list or a node may not show a new logstore or group yet.
// So in three cases Beat and Create first return a retryable error, and return the final error only
// after one lease:
//
//   - the logstore does not exist;
//   - the list of groups lacks the client's group, although the client has seen it before;
//   - a heartbeat does not find the group, although the client has just created it.
//
// If a heartbeat does not find a group that is older, the group was deleted, and the error is final
// at once.
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
// With a Config.Transport that speaks HTTP/2, one more request may still use it.
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
// request and the provider has others, the client repeats the request once.
//
// An error about refused credentials is final if the credentials come from Static or FromEnv, and
// if the client has not yet succeeded with the same operation. Otherwise the error is retryable,
// and the coordinator repeats heartbeats while the lease lasts.
package sls
