// Package processortest is for unit tests of your own Processor: without a group, a
// coordinator or a network. New grants a shard; Shard.Run calls your Factory and Process,
// as a worker does; the test revokes the shard or ends its lease, and Status shows what
// Process committed and reported.
//
// The Shard that Process gets behaves as in a worker: the same errors, the same causes.
// There is one difference: Run makes one attempt and returns its error, where a worker
// tries again after a pause. To test a restart, call Run again.
//
// All of it works inside a bubble of testing/synctest, and outside.
package processortest
