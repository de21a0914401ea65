//go:build !unix

package main

import (
	"errors"
	"os"
)

func freezable() error { return errors.New("this system cannot freeze a process") }

func freeze(*os.Process) error { return freezable() }

func wake(*os.Process) error { return freezable() }
