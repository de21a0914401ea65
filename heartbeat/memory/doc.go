// Package memory is the embedded group service: one group and its checkpoints, in this
// process. It is for a single worker, for several workers in one process, and for tests. It
// gives all guarantees that a heartbeat.Client can give: see Service.Info.
//
// A Service has no background goroutine, and needs no Close. Its state ends with the process. If
// checkpoints must outlive the process, give the coordinator a processor.FileCheckpoints.
package memory
