//go:build unix

package main

import (
	"os"
	"syscall"
)

// errFreeze is why there are no frozen processes.
var errFreeze error

// freeze stops a process where it stands; wake lets it go on.
func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func wake(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
