// Package slsserver is an embedded server that speaks the protocol of Alibaba Cloud
// Simple Log Service (SLS): consumer groups, heartbeats, checkpoints, cursors, reading,
// writing, splitting and merging, and making and deleting projects and logstores. It is
// for development, tests and demonstrations: a program that uses an SLS SDK runs against it
// in place of the cloud. It keeps everything in memory: nothing survives Close.
//
//	srv, err := slsserver.New(slsserver.Config{
//		Projects: []slsserver.Project{{Name: "demo", Logstores: []slsserver.Logstore{{Name: "app", Shards: 4}}}},
//	})
//	l, err := srv.Listen("127.0.0.1:0")
//	go srv.Serve(l)
//	defer srv.Close()
//
// # How clients find a project
//
// The protocol names the project in the host only. The server takes, in this order:
// the first label of a host that ends in one of Config.HostSuffixes
// (demo.cn-hangzhou.log.aliyuncs.com, demo.sls.test); the part before an IP address
// (demo.127.0.0.1:8080, demo.[::1]:8080); the first path segment if it is neither "logstores" nor
// "consumergroups" (http://127.0.0.1:8080/demo/logstores). Where the host is an address, a suffix or a
// name without dots, and the path names no project either, it takes Config.DefaultProject. Any
// other host names a project by its first label. A project that is named and does not exist gets
// 404 ProjectNotExist. Case does not matter in hosts. The
// official Go SDK reaches it unmodified with the endpoint "http://127.0.0.1:8080/demo"
// and an empty project; with real project names, give its http.Client a DialContext
// that dials the server whatever the address, and the endpoint "http://sls.test".
//
// # What nobody outside the service can verify, and what is done here
//
// The protocol's public description leaves some things open. The choices:
//
//   - A consumer's first heartbeat is answered with shards at once, if any are free.
//   - A heartbeat that omits a shard outside a transfer keeps it: the answer lists it
//     still. That is how a restarted process gets its shards back. Shards that it lists
//     without holding them, or that do not exist, are ignored. There is no leave.
//   - Balance is evaluated at every heartbeat, join, eviction and split; it moves the
//     fewest shards that bring all consumers within one of each other.
//   - A group's timeout is 1 to 86400 seconds, also if it is written as 5.0. A change of it counts from each member's
//     last heartbeat. A group may have Config.MaxConsumers consumers.
//   - Names of projects, logstores and groups are a letter or digit and then up to 127
//     letters, digits, '.', '_' and '-'. A group's name is unique within its logstore.
//     Consumer names are 1 to 128 bytes of printable UTF-8.
//   - forceSuccess defaults to false. Without it a commit is taken from the shard's
//     holder, also while the shard is in transfer; another live consumer gets 400
//     ConsumerNotMatch, an unknown one 404 ConsumerNotExist. The holder may go back. A
//     checkpoint beyond the shard's end gets 400 InvalidShardCheckPoint. With
//     Config.MisspeltCodes the codes are the ones that the official Go library expects.
//   - The consumer in GetCheckPoint is the last committer; before the first commit it
//     is the holder.
//   - A read-only shard is over as soon as nothing of it is left to read: its checkpoint,
//     forced or not, or without one its beginning, is its end. That is evaluated at a commit, at
//     a split or merge, and when data expires, so a parent that was at its end
//     before a split needs no further commit, nor does one that never had data. Its last
//     holder and its last committer may commit the end once more.
//   - Deleting a group ends its members: a non-empty heartbeat after the group was
//     created anew gets 400 NotExistConsumerWithBody.
//   - ShardNotExist is 404 for checkpoints and 400 for cursors and reads. InvalidCursor
//     is 400, ConsumerGroupQuotaExceed 403, SecurityTokenExpired 401.
//   - A cursor's number is the shard's creation time in nanoseconds plus the count of log
//     groups before it. A cursor beyond the end gets InvalidCursor. One whose data has
//     expired does too, or reads from the beginning: Config.ExpiredFromBegin.
//   - One page holds whole log groups and takes no further one once it has
//     Config.MaxPageBytes, so it exceeds them by less than one group. x-log-end-of-cursor
//     is 1 when the page ends at end_cursor or at the shard's end. The cursor time at
//     the end is now.
//   - Hash routing takes 32 hexadecimal digits; the last shard takes the greatest key too.
//   - A log group without logs is refused. Log times are checked only with
//     Config.CheckLogTime.
//   - A V1 signature may cover x-log-date or not. The host in a V4 signature may have the default
//     port where the request's has none, and none where the request's has one. A V4 request whose x-log-content-sha256 is that
//     of no body, with a body, is refused unless Config.UnsignedPayload allows it.
//   - Project-level groups are not there.
//   - A request has at most 16 KiB of path and as many of parameters, 32 of these; a heartbeat
//     lists at most 100,000 shards; other JSON bodies have at most 64 members. What a message
//     quotes is cut. What is no HTTP, or has more than 48 KiB of headers, gets the answer of
//     net/http, which has no request id and no error of the service.
//
// # What set-up code asks for
//
// Projects and logstores can be made, described, listed and deleted. A deletion ends the groups
// and their members and drops the data; what Config.Projects names is made again at the next start.
// Deleting is like everything else: a request that names no project means the default one.
//
//   - A request for the root with no project's name lists the projects; the answer describes the
//     default one as well, because Python with the project "" asks for that in the same words.
//   - The ttl of a logstore is kept and told, and deletes nothing: Config.Retention does. shardCount
//     is how many shards take writes. There is no automatic split and no web tracking.
//   - There is no index: GetIndex gets 404 IndexConfigNotExist, and searches are not there.
//   - Existing names get 400 ProjectAlreadyExist and LogStoreAlreadyExist, wrong numbers 400
//     LogStoreInfoInvalid. The server has up to 1000 projects, and a project 1000 logstores. What
//     would make the shards of all logstores more than ten times Config.MaxShards gets 403
//     ShardQuotaExceed.
//
// # Filters
//
// PullLogs takes this much of a query, and refuses everything else with
// ParameterInvalid:
//
//   - | where key = 'value' [and key = 'value']...
//
// A key is a content key, __topic__, __source__ or __tag__:name, in double quotes if
// it is not a plain word; a quote in a value is doubled. A query has at most 64 different
// conditions. A processor names such a query of Project.Processors.
//
// # Faults
//
// Server.AddFault switches errors, delays and cut connections on while the server runs; Evict
// and Expire do what the service does by itself only after a time. Server.ServeAdmin offers
// them over HTTP, for tests of several processes. The server takes the time from package time,
// so that it runs under testing/synctest.
//
// # Safety
//
// Without keys, anyone who reaches the server may do anything, so it listens on loopback
// addresses only. It also refuses what a web page may send: requests that a browser marks
// as another site's, and all requests, reads too, whose host is neither a loopback name
// (localhost, 127.0.0.1, [::1], each with a project in front or without) nor under one of
// Config.HostSuffixes. A page that points its own name at this machine has another host. The
// suffixes are allowed because no page can have such a name: .test is reserved, and the
// names below aliyuncs.com are the provider's. Config.Insecure lifts the rules about addresses
// and hosts, because a container is reached by any name. Keys lift all of them.
//
// With keys, everything that the headers can tell is verified before any of the body is
// read. Signatures can be replayed within the clock window, as with the service itself.
package slsserver
