// Package sls is a client of Alibaba Cloud Simple Log Service over net/http: the group
// service of a worker (heartbeat.Client, heartbeat.Creator), its checkpoints
// (processor.Checkpoints), and the calls that read and write logs.
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
// # What the service promises, and what it does not
//
// A commit is fenced by the member's name: it is never forced, so the service refuses
// one from a member that does not hold the shard. There are no instances, hence two
// processes under one name are one member to the service, and both get all its shards: a
// coordinator warns when it finds another position where it has committed one. There are
// no epochs: those of leases are made from the member's clock, see shardset.Lease. The
// numbers of a heartbeat do not travel, so a heartbeat that arrives late can release a
// shard that its sender has taken back: AckedRevoke is not promised. There is no leave
// call and no push.
//
// The lease is the group's timeout as the service has it, never the one of a Config.
// A member that learns of a shorter timeout late holds on for too long: if you shorten
// it while members run, they hear of it within 30 seconds and a heartbeat, and beat
// faster from then on. The settings are read beside the heartbeats; Close stops that.
//
// The service is eventually consistent. If a list or a node does not know the logstore, or
// a group that the service said to exist, heartbeats are tried again for one lease.
//
// # Clocks
//
// Times of the service, a shard's creation or the bound of a run, are its clock's. The
// client measures how far that is from this machine's clock, from the Date of the
// answers: see ClockOffset. A difference of more than a second is logged, once for each
// change: beyond 15 minutes the service refuses requests.
//
// # Connections
//
// A client has two pools of HTTP/1.1 connections, so that data cannot delay heartbeats.
// Config.TLS names an authority or a certificate of your own, Config.Proxy a proxy;
// without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment count. With a
// Transport of your own, HTTP/2 for instance, all share its connections. A connection
// that goes silent is given up after a heartbeat or two that got no answer.
//
// # Errors
//
// What the service refuses is an *Error; its codes are classified in one table
// (classify.go). A call that got no answer from the service is a *TransportError: also
// one that a proxy, a portal or a load balancer answered in its place, with any status.
// An answer of the service that makes no sense is a *ResponseError. A call that makes no
// sense is a *UsageError and was not sent.
//
// Nothing here tries again by itself, with one exception: a request whose credentials
// were refused is repeated once if the provider has other ones. Refused credentials are
// final only where nothing can change: with Static and FromEnv, before the first success.
// Otherwise heartbeats are tried again, with fresh ones, while the lease lasts.
package sls
