// Package memstore is a replicated.Store in memory, for tests. A test can make the store fail as
// a database fails, and the connection of each process as a network fails.
package memstore
