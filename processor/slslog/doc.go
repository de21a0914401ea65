// Package slslog reads the logs of Simple Log Service.
//
// A Source gives them to package batch, and so to a worker:
//
//	client, err := sls.New(sls.Config{...})
//	source, err := slslog.New(client, slslog.Options{})
//	c, err := coordinator.New(coordinator.Config{
//		Group:     client,
//		Processor: batch.Handle(source, handle, batch.Options[slslog.Group]{}),
//	})
//
// # Where shards begin
//
// batch.Options.Initial is for the shards that are there when the group first starts. A
// shard that came to be later, by a split or merge, begins at its beginning. The service
// writes down nowhere when a group was born, so a worker looks once, when it first gets a
// shard without a checkpoint. If the group has no checkpoint at all, it is being born,
// and every shard in the service's list begins at Initial. Otherwise a shard begins at
// its beginning if one of its ancestors has a checkpoint, or if it was made after the
// oldest checkpoint of the group was stored. A shard that is not in the list of that look
// came later, and begins at its beginning. In doubt logs are read twice rather than lost:
// where several workers give birth to a group, one that starts a little later may find the
// checkpoint of a shard that was split long ago, and read its children from their
// beginning.
//
// With Latest a shard that was there, but is begun later than the group (its cursor could
// not be had, or its worker died before it had committed), begins where its end was when
// the group was born, as far as anybody can tell: when this process first looked, or when the
// oldest checkpoint was stored.
//
// If the worker may not list shards (ListShards), or cannot for half a minute, their
// numbers tell: one above all that have a checkpoint is younger. If the store of the
// checkpoints is no processor.Lister, every shard that has an ancestor in the list is taken
// for younger. With Earliest nothing is asked for.
//
// An Initial in the future is waited for, without any request: nothing that the service
// received before it is read, of any shard. What counts is the time when the Source was made.
//
// # Times
//
// batch.Options.Until and an Initial with a time are times of the service's clock: Until is
// rounded up to a second, Initial down. The client measures how far that clock is from
// ours, see sls.Client.ClockOffset, so ours need not be right. A shard that nothing is put
// into any more ends about two seconds after the bound.
//
// # Shards that are split or merged
//
// A Source looks into the list of shards to learn that a shard takes no more data. It
// needs the right log:ListShards for that. Without the list (refused, throttled, no
// answer) reading goes on. Shards at their ends show the trouble in their progress, a
// change is logged once, and their positions are committed again about every 45 seconds:
// the service looks then whether the shard is done, and starts its children.
//
// # What cannot be read
//
// A page that does not decompress, or is no list of log groups, is an error of the read: it
// is read again after growing pauses, and shown as trouble, until it is clean. A log group
// above Options.MaxRaw halts its shard after five seconds, with a *TooLargeError, and so does
// at once a refusal that says that the request is wrong, its query for instance. A position
// has expired if the service says InvalidCursor, and a shard is gone if it says so for some
// seconds: batch.Options.Expired decides then.
//
// # Views
//
// What one read brings is a page: a list of log groups in one buffer. Parse checks it
// once, from end to end, and makes a Group for each log group. Groups, their logs, tags
// and contents are views into that buffer: nothing is copied, and nothing is allocated
// for a log. What was checked cannot fail any more, so walking over it returns no errors:
//
//	for log := range group.Logs() {
//		for key, value := range log.Contents() {
//			...
//		}
//	}
//
// A handler's groups are valid until it returns. Then their buffer is used for another
// page, and a view that was kept shows bytes of that one, or nothing; it never panics.
// What is to be kept longer is copied, a group or a log with Clone, a value with string
// or bytes.Clone. Views must not be written to; appending to one copies it.
//
// # The format
//
// It is protobuf, read as protobuf is meant to be: unknown fields are skipped, of a field
// that should be there once the last one counts, and strings may hold any bytes. What is
// not that, or lacks a field it must have, is a *DecodeError that says where. No bytes
// whatever make this package panic.
//
// A Builder makes log groups, for those who write logs.
package slslog
