// Package processortest is for unit tests of your own Processor, without a group, a
// coordinator or a network. New grants a shard. Shard.Run calls your Factory and Process, as
// a worker does. The test revokes the shard or ends its lease, and Shard.Status returns what
// Process has committed and reported.
//
// The processor.Shard that Process gets behaves as in a worker, with the same errors and
// causes. There is one difference: a worker tries again after an error, and Run returns it.
// Call Run again to test a restart. And nothing watches for progress.
//
// The package works inside a bubble of testing/synctest, and outside.
package processortest
