package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// TestStatusShowsTrouble: what a shard fails to do beside its work is in the status line.
func TestStatusShowsTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	_, err := r.server.AddFault(slsserver.Fault{Op: "ListShards", Status: 401, Code: "Unauthorized", Message: "no"})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	out, errs, ended := newText(), newText(), make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		run(ctx, r.args("-status-every", "100ms", "-log-level", "off"), out, errs)
	}()
	defer func() { cancel(); <-ended }()
	for want := []string{" draining=0 halted=0 complete=0 stuck=0 troubled=2 ", " trouble=\"", "log:ListShards"}; ; {
		last := errs.String()
		last = last[strings.LastIndex(strings.TrimSuffix(last, "\n"), "\n")+1:]
		seen := 0
		for _, w := range want {
			if strings.Contains(last, w) {
				seen++
			}
		}
		if seen == len(want) {
			return
		}
		select {
		case <-errs.grown:
		case <-time.After(patience):
			t.Fatalf("none of the trouble in %q", last)
		case <-ended:
			t.Fatalf("none of the trouble in\n%s", errs)
		}
	}
}
