package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// StartCluster starts a cluster of n servers in this process, for tests and drills. n must be
// at least 2. Each server listens on loopback and keeps its state in a folder below dir. All
// servers use cfg, except for its Name, Listen and Cluster. StartCluster returns when all
// servers are ready, after about a second. If that fails or ctx ends, it closes all of them.
//
// The caller closes the servers, with CloseAll for instance. To restart a closed server s,
// call Start(s.Dir(), s.Config()).
func StartCluster(ctx context.Context, dir string, n int, cfg Config) ([]*Server, error) {
	if n < 2 {
		return nil, fmt.Errorf("embedded: a cluster of %d servers; it needs at least 2", n)
	}
	ports, err := freePorts(n)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	routes := make([]string, n)
	for i, p := range ports {
		routes[i] = "nats://" + p
	}
	var servers []*Server
	for i, p := range ports {
		cfg.Name, cfg.Listen = fmt.Sprint("node-", i), ""
		cfg.Cluster = Cluster{Name: "rollcall", Listen: p, Routes: routes}
		s, err := Start(filepath.Join(dir, cfg.Name), cfg)
		if err != nil {
			CloseAll(servers)
			return nil, err
		}
		servers = append(servers, s)
	}
	if err := waitForCluster(ctx, servers); err != nil {
		CloseAll(servers)
		return nil, err
	}
	return servers, nil
}

// CloseAll closes all servers at the same time. If they were closed one after the other, each
// would first wait until another server has taken over its streams.
func CloseAll(servers []*Server) {
	done := make(chan struct{})
	for _, s := range servers {
		go func() {
			s.Close()
			done <- struct{}{}
		}()
	}
	for range servers {
		<-done
	}
}

// waitForCluster waits until every server is ready and the cluster's leader knows all
// servers. Before that, a stream cannot have a replica on each server.
func waitForCluster(ctx context.Context, servers []*Server) error {
	for _, s := range servers {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		for _, s := range servers {
			if s.Leads() && len(s.server.JetStreamClusterPeers()) == len(servers) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("embedded: the servers have not formed a cluster: %w", ctx.Err())
		}
	}
}

// freePorts returns n loopback addresses with different ports that are free now.
func freePorts(n int) (addresses []string, err error) {
	for range n {
		l, lerr := net.Listen("tcp", "127.0.0.1:0")
		if lerr != nil {
			return nil, errors.Join(err, lerr)
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
