// Package processortest has a Shard for unit tests of your own Processor. It needs no group, no
// coordinator and no network.
//
// New grants a shard to the test. Shard.Run calls your Factory and Process, as a worker does.
// Meanwhile the test revokes the shard or ends its lease. Shard.Status returns what Process has
// committed and reported.
//
// The processor.Shard that Process gets has the same errors and causes as in a worker. Two
// things differ. First, after an error of Process, Run returns the error instead of calling
// Process again: to test a restart, call Run again. Second, nothing reports a stuck Processor.
//
// The package works inside and outside a bubble of testing/synctest.
package processortest
