// Package replicatedtest tests stores for replicated groups. RunStore is the suite that
// every replicated.Store passes. RunCrowd runs real coordinators on a store while faults
// happen to it, and checks that no shard has two owners and that no record is lost. A
// Proxy makes TCP connections fail in the ways of a network.
package replicatedtest
