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
// In the protocol the host alone names the project. The server takes the first of these that
// the request has:
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
// The official Go SDK works unmodified with the endpoint "http://127.0.0.1:8080/demo" and an
// empty project. To use real project names, give the SDK's http.Client a DialContext that
// dials the server whatever the address, and the endpoint "http://sls.test".
//
// # Where the protocol is not documented
//
// The public description of the protocol leaves some things open. The server does this:
//
//   - A consumer's first heartbeat gets free shards at once.
//   - A consumer that omits a shard keeps it, unless the shard is moving to another consumer:
//     the answer still lists it. That is how a restarted process gets its shards back. The
//     server ignores listed shards that the consumer does not hold or that do not exist. There
//     is no leave.
//   - Each heartbeat, join, eviction and split balances the group. It moves the fewest shards
//     that bring all consumers within one shard of each other.
//   - A group's timeout is 1 to 86400 seconds, also if written as 5.0. A new timeout counts
//     from each member's last heartbeat. A group has up to Config.MaxConsumers consumers.
//   - Names of projects, logstores and groups are a letter or digit and then up to 127 letters,
//     digits, '.', '_' and '-'. A logstore has its own names of groups. Consumer names follow
//     shardset.CheckName.
//   - forceSuccess defaults to false. Without it the server takes a commit from the shard's
//     holder, also while the shard is moving. Another live consumer gets 400 ConsumerNotMatch,
//     an unknown one 404 ConsumerNotExist. The holder may commit an earlier position. A
//     checkpoint beyond the shard's end gets 400 InvalidShardCheckPoint. With
//     Config.MisspeltCodes the codes are those that the official Go library expects.
//   - The consumer in GetCheckPoint is the last committer; before the first commit it is the
//     holder.
//   - A read-only shard is complete when nothing of it is left to read: its checkpoint, forced
//     or not, is its end. Without a checkpoint its beginning counts. The server looks at that
//     at each commit, split and merge and when data expires. So a parent that was at its end
//     before a split needs no further commit, nor does one that never had data. The last
//     holder and the last committer may commit the end once more.
//   - Deleting a group ends the membership of its consumers. If it is created anew, a heartbeat
//     that lists shards gets 400 NotExistConsumerWithBody.
//   - ShardNotExist is 404 for checkpoints and 400 for cursors and reads. InvalidCursor is 400,
//     ConsumerGroupQuotaExceed 403, SecurityTokenExpired 401.
//   - A cursor is a number: the shard's creation time in nanoseconds plus the count of log
//     groups before it. A cursor beyond the end gets InvalidCursor. So does one whose data has
//     expired, unless Config.ExpiredFromBegin is set.
//   - A page holds whole log groups. It takes no further one once it has Config.MaxPageBytes,
//     so it exceeds them by less than one log group. x-log-end-of-cursor is 1 when the page
//     ends at end_cursor or at the shard's end. The cursor time at the end is now.
//   - Hash routing takes 32 hexadecimal digits. The last shard takes the greatest key too.
//   - The server refuses a log group without logs. It checks log times with
//     Config.CheckLogTime alone.
//   - A V1 signature may cover x-log-date or not. The host in a V4 signature may have the
//     default port where the request's has none, and the reverse. A V4 signature must cover the
//     body, unless Config.UnsignedPayload is set.
//   - There are no project-level groups.
//   - A request has up to 16 KiB of path, 16 KiB of parameters and 32 parameters. A heartbeat
//     lists up to 100,000 shards; other JSON bodies have up to 64 members. Messages cut what
//     they quote. A request that is not HTTP, or has more than 48 KiB of headers, gets the
//     answer of net/http, without a request id.
//
// # Projects and logstores
//
// Requests can create, describe, list and delete projects and logstores. A deletion ends the
// groups and their members and drops the data. A request that names no project means the
// default one, also when it deletes.
//
//   - A request for the root without a project's name lists the projects. The answer describes
//     the default project as well, because the Python SDK with the project "" asks for that
//     in the same words.
//   - The server keeps the ttl of a logstore and returns it, but deletes nothing by it:
//     Config.Retention does. shardCount is the number of shards that take writes. There is no
//     automatic split and no web tracking.
//   - There is no index and no search: GetIndex gets 404 IndexConfigNotExist.
//   - Existing names get 400 ProjectAlreadyExist and LogStoreAlreadyExist, wrong numbers 400
//     LogStoreInfoInvalid. The server has up to 1000 projects, and a project up to 1000
//     logstores. Requests cannot make more than ten times Config.MaxShards shards in all: they
//     get 403 ShardQuotaExceed.
//
// # Filters
//
// PullLogs takes this much of a query, and answers everything else with ParameterInvalid:
//
//   - | where key = 'value' [and key = 'value']...
//
// A key is a content key, __topic__, __source__ or __tag__:name, in double quotes if it is not
// a plain word. A quote in a value is doubled. A query has up to 64 different conditions. A
// request may name a query of Project.Processors as its processor.
//
// # Faults
//
// Server.AddFault switches errors, delays and cut connections on while the server runs. Evict
// and Expire do at once what the service does after a time. Server.ServeAdmin offers all of them
// over HTTP, for tests of several processes. The server takes the time from package time, so it
// runs under testing/synctest.
//
// # Safety
//
// Without keys, every client that reaches the server may do everything. So the server listens
// on loopback addresses alone, and refuses what a web page could send: requests that a browser
// marks as another site's, and requests, also reads, for hosts other than these:
//
//   - loopback names: localhost, 127.0.0.1, [::1], with a project in front or without. A page
//     that points its own name at this machine (DNS rebinding) has another host;
//   - hosts under Config.HostSuffixes. No page can have such a name: .test is reserved, and the
//     names below aliyuncs.com belong to the provider.
//
// Config.Insecure lifts the rules about addresses and hosts, because a container is reached by
// any name. Keys lift all of them.
//
// With keys, the server verifies all that the headers can tell before it reads any of the body.
// Requests can be replayed within the clock window, as with the service itself.
package slsserver
