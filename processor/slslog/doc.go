// Package slslog reads the logs of Simple Log Service. A Source passes them to package batch, and so to
// a worker:
//
//	client, err := sls.New(sls.Config{...})
//	source, err := slslog.New(client, slslog.Options{})
//	handle := func(ctx context.Context, b *batch.Batch[slslog.Group]) error {
//		for _, group := range b.Items {
//			for log := range group.Logs() {
//				for key, value := range log.Contents() {
//					...
//				}
//			}
//		}
//		return nil
//	}
//	c, err := coordinator.New(coordinator.Config{
//		Group:     client,
//		Processor: batch.Handle(source, handle, batch.Options[slslog.Group]{}),
//	})
//
// For programs that write logs, a Builder encodes log groups.
//
// # Views
//
// One read returns a page: a list of log groups in one buffer. Groups, logs, tags and contents are views
// into that buffer. Nothing is copied, and no memory is allocated for a log. The page is checked before
// the handler gets it, so the loops over it return no errors.
//
// The groups of a batch are valid until the handler returns. After that, the buffer is used for another
// page. A view that is used too late shows other bytes or nothing; it never panics. To keep a group or a
// log longer, call Clone; to keep a value, copy it. Do not write to a view. Appending to a value copies
// it, and so does not change the page.
//
// # Where shards begin
//
// batch.Options.Initial is for the shards that exist when the group first starts. A shard that was
// created later, by a split or a merge, is read from its first log. With Earliest, every shard is read
// from its first log. Otherwise the Source has to find out which shards are younger than the group:
// created after it first started.
//
// The service does not record when a group first started. So when a worker first opens a shard without a
// checkpoint, it requests the list of shards and the checkpoints of the group, once. These decide where a
// shard without a checkpoint begins:
//
//   - If the group has no checkpoint, it is new, and every shard in the list begins at Initial.
//   - If the group has checkpoints, a shard is read from its first log in two cases: one of its ancestors
//     has a checkpoint, or the shard was created after the oldest checkpoint of the group was stored.
//   - A shard that is not in the list was created later, and is read from its first log.
//   - Any other shard begins at Initial.
//
// In the last case, Latest means the end of the shard when the worker made the requests, or when the
// oldest checkpoint was stored, whichever is earlier. The shard may be opened much later, for instance if
// a worker took it and ended before it committed.
//
// In doubt, logs are read twice rather than lost. For example, several workers start a new group, and one
// of them starts a little later. It may find the checkpoint of a shard that was split long ago. Then it
// reads the children of that shard from their first logs.
//
// The worker may lack the right to list shards (ListShards), or the list may not be available for half
// a minute. Then the Source compares the numbers of the shards: a shard is younger if its number is
// above those of all shards with a checkpoint. If the store of the checkpoints is not a
// processor.Lister, every shard with an ancestor in the list counts as younger.
//
// Initial may be a time that is in the future when the Source is made. Then every shard, of any age,
// begins at that time. A shard that waits for it makes no requests.
//
// # Times
//
// batch.Options.Until and a time in Initial are times of the service's clock. Until is rounded up to a
// second, and the time in Initial is rounded down. The client measures the offset of that clock (see
// sls.Client.ClockOffset), so the local clock need not be right. A shard that receives nothing more ends
// about two seconds after Until.
//
// # Shards that are split or merged
//
// A split or a merge closes a shard. The Source learns this from the list of shards, for which the worker
// needs the right log:ListShards. If the service refuses the list, throttles or does not answer, reading
// goes on. One log line says that the list is not available, and one that it is available again.
//
// Without the list, a shard that is read to its end shows the error as trouble in its progress. It commits
// the same position again after 10 to 30 seconds, and then every 30 to 60 seconds. The service checks only
// at a commit whether a closed shard is complete, and then starts its children.
//
// # What cannot be read
//
// If a page does not decompress, or is not a list of log groups, the read fails. The page is read again
// after growing pauses until it is good, and the error is shown as trouble.
//
// Two errors halt the shard. One is a log group above Options.MaxRaw, after five seconds and with a
// *TooLargeError. The other is a refusal of the request itself, for instance because of a wrong query.
//
// If the service reports for two seconds that the position is not valid (InvalidCursor), or that the shard
// does not exist, batch.Options.Expired decides.
//
// # The format
//
// The format is protobuf. Unknown fields are skipped. If a field occurs more often than it should, the last
// one counts. Strings may hold any bytes. Any other deviation, and a missing required field, is a
// *DecodeError with its offset. No input makes this package panic.
package slslog
