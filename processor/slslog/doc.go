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
// One read brings a page: a list of log groups in one buffer. Groups, logs, tags and contents are views
// into that buffer. Nothing is copied, and no memory is allocated for a log. The page is checked
// before the handler gets it, so walking over it returns no errors.
//
// The groups of a batch are valid until the handler returns. After that the buffer is used for another
// page, and a view shows other bytes or nothing; it never panics. To keep a group or a log longer, call
// Clone; to keep a value, copy it. Do not write to a view. Appending to a value copies it.
//
// # Where shards begin
//
// batch.Options.Initial holds for the shards that exist when the group first starts. A shard that was
// created later, by a split or a merge, begins at its beginning.
//
// The service does not record when a group first started. So a worker requests the list of shards and
// the checkpoints of the group once, when it first opens a shard without a checkpoint:
//
//   - If the group has no checkpoint, it is new, and every shard in the list begins at Initial.
//   - Otherwise a shard begins at its beginning if one of its ancestors has a checkpoint, or if the shard
//     was created after the oldest checkpoint of the group was stored.
//   - A shard that is not in the list was created later, and begins at its beginning.
//   - Any other shard begins at Initial. For Latest, that is its end at the time when this process made
//     the request, or when the oldest checkpoint was stored, whichever is earlier: a shard may be opened
//     late, because its cursor was not available, or its first worker died before it committed.
//
// In doubt, logs are read twice rather than lost. When several workers start a new group, one that
// starts a little later may find the checkpoint of a shard that was split long ago, and read its
// children from their beginning.
//
// Without the right to list shards (ListShards), or if the list is not available for half a minute, the
// numbers of the shards decide: a shard above all that have a checkpoint is younger. If the store of
// the checkpoints is not a processor.Lister, every shard with an ancestor in the list counts as younger.
// With Earliest, nothing is requested.
//
// If Initial is in the future when the Source is made, no shard is read before that time, and nothing
// that the service received before it. Waiting costs no requests.
//
// # Times
//
// batch.Options.Until and a time in Initial are times of the service's clock. Until is rounded up to a
// second, Initial down. The client measures the offset of that clock (see sls.Client.ClockOffset), so the
// local clock need not be right. A shard that receives nothing more ends about two seconds after Until.
//
// # Shards that are split or merged
//
// A Source learns from the list of shards that a shard is closed. For that the worker needs the right
// log:ListShards. Without the list (refused, throttled, no answer) reading goes on. Each change is
// logged once. Shards at their ends show the trouble in their progress, and commit their positions
// again about every 45 seconds: at a commit the service checks whether a closed shard is complete, and
// starts its children.
//
// # What cannot be read
//
// A page that does not decompress, or is not a list of log groups, is an error of the read. It is read
// again after growing pauses until it is good, and shown as trouble. Two errors halt the shard: a log
// group above Options.MaxRaw, after five seconds and with a *TooLargeError; and a refusal of the request
// itself, because of a wrong query for instance. If the service reports for two seconds that the
// position is not valid (InvalidCursor) or that the shard does not exist, batch.Options.Expired decides.
//
// # The format
//
// The format is protobuf. Unknown fields are skipped; of a field that should occur once, the last
// occurrence counts; strings may hold any bytes. Anything else, and a missing required field, is a
// *DecodeError with its offset. No input makes this package panic.
package slslog
