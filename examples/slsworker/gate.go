package main

import (
	"context"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
)

// gate lets a few checkpoints be loaded at a time. A worker that gets a thousand shards
// at once would otherwise make as many requests at once: memory and connections that it
// never needs again.
type gate struct {
	*sls.Client
	slots chan struct{}
}

// loads is how many checkpoints may be loaded at a time.
const loads = 16

func newGate(c *sls.Client) gate { return gate{Client: c, slots: make(chan struct{}, loads)} }

// Load implements processor.Checkpoints.
func (g gate) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
	return g.Client.Load(ctx, o)
}

// FencesCommits implements processor.Fencer: the service does.
func (g gate) FencesCommits() bool { return true }
