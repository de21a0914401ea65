//go:build unix

package main

import (
	"os"
	"syscall"
)

// freezable says why processes cannot be frozen here.
func freezable() error { return nil }

// freeze stops a process where it stands; wake lets it go on.
func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func wake(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
