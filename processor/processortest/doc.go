// Package processortest tests your own Processor without a group, a coordinator or a network.
//
// New grants a shard to the test. Shard.Run calls your Factory and Process, as a worker does.
// Meanwhile the test revokes the shard or ends its lease. Shard.Status returns what Process has
// committed and reported.
//
// The processor.Shard that Process gets has the same errors and causes as in a worker. Two
// things differ: after an error, Run returns it, where a worker calls Process again; and nothing
// watches for signs of progress. To test a restart, call Run again.
//
// The package works inside and outside a bubble of testing/synctest.
package processortest
