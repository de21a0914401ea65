// Package slsserver is an embedded server that speaks the protocol of Alibaba Cloud
// Simple Log Service (SLS): consumer groups, heartbeats, checkpoints, cursors, reading,
// writing, splitting and merging shards, and creating and deleting projects and logstores. It
// is for development, tests and demonstrations: a program that uses an SLS SDK runs against it
// in place of the cloud. It keeps everything in memory: nothing survives Close.
//
//	srv, err := slsserver.New(slsserver.Config{
//		Projects: []slsserver.Project{{Name: "demo", Logstores: []slsserver.Logstore{{Name: "app", Shards: 4}}}},
//	})
//	l, err := srv.Listen("127.0.0.1:0")
//	go srv.Serve(l)
//	defer srv.Close()
//
// # How a request names its project
//
// In the protocol only the host names the project. This server also accepts other forms. It takes
// the first of these that the request has:
//
//  1. the first label of a host that ends in one of Config.HostSuffixes:
//     demo.cn-hangzhou.log.aliyuncs.com, demo.sls.test;
//  2. the part before an IP address: demo.127.0.0.1:8080, demo.[::1]:8080;
//  3. the first segment of the path, if it is neither "logstores" nor "consumergroups":
//     http://127.0.0.1:8080/demo/logstores;
//  4. Config.DefaultProject, if the host is an address, a suffix or a name without dots;
//  5. the first label of any other host.
//
// A project that does not exist gets 404 ProjectNotExist. Case does not matter in hosts.
//
// The official Go SDK works unmodified with the endpoint "http://127.0.0.1:8080/demo" and an empty
// project. To use real names of projects, set the endpoint "http://sls.test", and give the SDK's
// http.Client a DialContext that dials this server for every address.
//
// # Where the protocol is not documented
//
// The public description of the protocol leaves some things open. The server does this:
//
//   - A consumer's first heartbeat gets free shards at once.
//   - A consumer that omits a shard keeps it and finds it in the answer, unless the shard is moving
//     to another consumer. So a restarted process gets its shards back. The server ignores listed
//     shards that the consumer does not hold or that do not exist. A consumer cannot leave: it
//     expires.
//   - Each heartbeat, join, eviction and split balances the group. It moves the fewest shards
//     that bring all consumers within one shard of each other.
//   - A group's timeout is a whole number of seconds from 1 to 86400; 5.0 counts as 5. A new
//     timeout counts at once, from each consumer's last heartbeat. A group has up to
//     Config.MaxConsumers consumers.
//   - Names of projects, logstores and groups are a letter or digit and then up to 127 letters,
//     digits, '.', '_' and '-'. Two logstores may have groups of the same name. Consumer names
//     follow shardset.CheckName.
//   - forceSuccess defaults to false. Without it the server accepts a commit only from the shard's
//     holder, even while the shard is moving. Another consumer of the group gets 400
//     ConsumerNotMatch, an unknown one 404 ConsumerNotExist. The holder may commit an earlier
//     position. A checkpoint beyond the shard's end gets 400 InvalidShardCheckPoint. With
//     Config.MisspeltCodes the codes are those that the official Go library expects.
//   - The consumer in GetCheckPoint is the last committer; before the first commit it is the
//     holder.
//   - A read-only shard is complete when its checkpoint, forced or not, is its end. Its oldest
//     position counts instead if that is later, or if there is no checkpoint. The server checks
//     this at each commit, split and merge and when data expires. So a parent needs no further
//     commit if its checkpoint was at its end before the split, or if it never had data. The last
//     holder and the last committer may commit the end again.
//   - Deleting a group ends the membership of its consumers. If the group is created again, a
//     heartbeat that lists shards gets 400 NotExistConsumerWithBody until the consumer has joined
//     with an empty list.
//   - ShardNotExist is 404 for checkpoints and 400 for cursors and reads. InvalidCursor is 400,
//     ConsumerGroupQuotaExceed 403, SecurityTokenExpired 401.
//   - A cursor is a number: the shard's creation time in nanoseconds plus the count of log groups
//     before it. A cursor beyond the end gets InvalidCursor. A cursor whose data has expired gets
//     it too, unless Config.ExpiredFromBegin is set.
//   - A page contains whole log groups. It ends with the log group that reaches
//     Config.MaxPageBytes, so it may be larger by less than one log group. x-log-end-of-cursor is 1
//     when the page ends at end_cursor or at the shard's end. x-log-cursor-time at the shard's end
//     is the current time.
//   - A hash key is 32 hexadecimal digits. A shard's range does not contain its end. Only the last
//     shard's range does: it contains the greatest key.
//   - The server refuses a log group without logs. It checks log times only with
//     Config.CheckLogTime.
//   - A V1 signature may cover x-log-date or not. A V4 signature may cover the host without its
//     port. If the host has no port, the signature may cover it with :80 or :443. A V4 signature
//     must cover the body, unless Config.UnsignedPayload is set.
//   - There are no project-level groups.
//   - A request has up to 16 KiB of path, 16 KiB of parameters and 32 parameters. A heartbeat lists
//     up to 100,000 shards; other JSON bodies have up to 64 members. Error messages shorten long
//     values. A request that is not HTTP, or has more than 48 KiB of headers, gets the answer of
//     net/http, without a request ID.
//
// # Projects and logstores
//
// Requests can create, describe, list and delete projects and logstores. A deletion ends the groups
// and the membership of their consumers, and drops the data. A request that names no project means
// the default project, even in DeleteProject.
//
//   - A GET of the root path that names no project lists the projects. The answer also describes
//     the default project, because the Python SDK with the project "" sends the same request to get
//     that description.
//   - The server stores and returns the ttl of a logstore, but deletes no data because of it: see
//     Config.Retention. shardCount is the number of shards that take writes. There is no automatic
//     split and no web tracking.
//   - There is no index and no search: GetIndex gets 404 IndexConfigNotExist.
//   - Creating a project or logstore that exists gets 400 ProjectAlreadyExist or
//     LogStoreAlreadyExist; an invalid number gets 400 LogStoreInfoInvalid. The server has up to
//     1000 projects, and a project up to 1000 logstores. CreateLogStore and SplitShard get 403
//     ShardQuotaExceed if they would bring all logstores together above ten times Config.MaxShards
//     shards.
//
// # Filters
//
// PullLogs supports the query *, which matches all logs, and queries of the form below. It refuses
// all others with ParameterInvalid.
//
//	query=* | where key = 'value' [and key = 'value']...
//
// A key is a content key, __topic__, __source__ or __tag__:name. It needs double quotes if it has
// characters other than letters, digits and '_'. In a quoted key or value, write two quotes for
// one. A query has up to 64 different conditions. Instead of a query, a request may name one of
// Project.Processors in its parameter processor.
//
// # Faults
//
// Server.AddFault makes requests fail, wait or lose their connection while the server runs.
// Server.Evict expires a consumer at once, and Server.Expire drops data at once. Server.ServeAdmin
// offers all three over HTTP, for tests of several processes. Timers and the default Config.Clock
// use package time, so the server runs under testing/synctest.
//
// # Safety
//
// Without keys, every client that reaches the server may do everything. So the server listens only
// on loopback addresses, and refuses what a web page could send. It refuses requests that a browser
// marks as another site's. It also refuses all requests, even reads, for hosts other than these:
//
//   - loopback names: localhost, 127.0.0.1, [::1], with a project in front or without. A web page
//     whose own name resolves to this machine (DNS rebinding) does not pass, because its requests
//     have its own name as the host;
//   - hosts under Config.HostSuffixes. By default no web page can have such a name: .test is
//     reserved, and the names below aliyuncs.com belong to the provider.
//
// Config.Insecure removes the rules for addresses and hosts. It is for a server in a container,
// because clients may reach a container by any name. Keys remove all of these rules.
//
// With keys, the server verifies the headers before it reads the body. A signed request can be
// replayed while its date is within Config.ClockSkew, as with the service itself.
package slsserver
