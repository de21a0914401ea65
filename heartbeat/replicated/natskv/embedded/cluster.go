package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// StartCluster starts n servers of one cluster in this process, for tests and drills, in
// folders below dir, and returns when all of them can be used: after about a second. Each
// listens on the loopback. A member that was closed is started again by
// Start(s.Dir(), s.Config()).
//
// cfg is for all of them; its Name, Listen and Cluster are not used.
func StartCluster(ctx context.Context, dir string, n int, cfg Config) ([]*Server, error) {
	if n < 2 {
		return nil, fmt.Errorf("embedded: a cluster of %d; it takes two", n)
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
	if err := together(ctx, servers); err != nil {
		CloseAll(servers)
		return nil, err
	}
	return servers, nil
}

// CloseAll closes the servers, all at once: none waits for another to take over what it
// leads.
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

// together waits until every server is ready, and their leader knows all of them: only
// then can a stream have a copy on each.
func together(ctx context.Context, servers []*Server) error {
	for _, s := range servers {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	tick := time.NewTicker(look)
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
			return fmt.Errorf("embedded: not all servers of the cluster have found its leader: %w", ctx.Err())
		}
	}
}

// freePorts returns n addresses of the loopback that were free a moment ago. They are
// found together, so that no two are the same.
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
