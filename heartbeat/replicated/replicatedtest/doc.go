// Package replicatedtest tests stores for replicated groups. RunStore is the suite that
// every replicated.Store passes. A Crowd runs real coordinators on a store while faults
// befall it, and checks from outside that no shard has two owners and no record is lost. A
// Proxy is a TCP connection that fails in the ways of a network.
package replicatedtest
