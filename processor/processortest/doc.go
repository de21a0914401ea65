// Package processortest has a Shard for unit tests of your own Processor. It needs no group, no
// coordinator and no network.
//
// New grants a shard to the test. Shard.Run calls your Factory and Process, as a worker does.
// Meanwhile the test revokes the shard or ends its lease. Shard.Status returns what Process has
// committed and reported.
//
// The processor.Shard that Process gets has the same errors and causes as in a worker. Two
// things differ. Run returns an error of Process, and a worker would call Process again: to test
// a restart, call Run again. And nothing watches for signs of progress.
//
// The package works inside and outside a bubble of testing/synctest.
package processortest
