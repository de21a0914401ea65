package sls_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets all cases of the conformance suite run at once in real time, where they
// do little but wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
