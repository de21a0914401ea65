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
// # Times
//
// batch.Options.Until and an Initial with a time are times of the service's clock: Until is
// rounded up to a second, Initial down. The client measures how far that clock is from
// ours, see sls.Client.ClockOffset, so ours need not be right. A shard that nothing is put
// into any more ends about two seconds after the bound.
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
