package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTimeout is the longest time until a server accepts connections. The server first reads
// its folder.
const startTimeout = 30 * time.Second

// poll is the pause between two checks of a server that starts.
const poll = 5 * time.Millisecond

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	dir    string
	cfg    Config
	server *server.Server
	lock   io.Closer
	close  sync.Once
}

// Start starts a server and returns when clients can connect. The server keeps its state in
// the folder dir, which Start creates if it does not exist. Only one server at a time can
// use a folder. Start takes at most one Config. A Config with faults is refused with one
// *shardset.ConfigError that lists all of them.
//
// A cluster member is ready only when a majority of the members run: see Server.Ready.
func Start(dir string, cfg ...Config) (*Server, error) {
	var c Config
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		return nil, errors.New("embedded: Start takes at most one Config")
	}
	s, err := start(dir, c)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return s, nil
}

func start(dir string, cfg Config) (*Server, error) {
	o, err := cfg.options(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, cfg: cfg, lock: lock}
	if err := s.run(o); err != nil {
		s.Close()
		return nil, err
	}
	s.storePort()
	return s, nil
}

func (s *Server) run(o *server.Options) (err error) {
	if err := checkFolder(s.dir, s.cfg.Cluster.set()); err != nil {
		return err
	}
	if err := s.cfg.checkFree(); err != nil {
		return err
	}
	if s.server, err = server.NewServer(o); err != nil {
		return err
	}
	if s.cfg.Logger != nil {
		s.server.SetLoggerV2(logger{s.cfg.Logger.Sugar()}, false, false, false)
	}
	s.server.Start()
	if !s.server.ReadyForConnections(startTimeout) {
		return fmt.Errorf("the server does not accept connections after %v; its log says why", startTimeout)
	}
	if !s.server.JetStreamEnabled() {
		return fmt.Errorf("the server could not start JetStream in %s; its log says why", s.dir)
	}
	return nil
}

// storePort stores the port of the server in its Config, for a restart.
func (s *Server) storePort() {
	if s.cfg.Listen == InProcessOnly {
		return
	}
	if a, ok := s.server.Addr().(*net.TCPAddr); ok {
		host, _, _ := net.SplitHostPort(s.cfg.Listen)
		if host == "" {
			host = a.IP.String()
		}
		s.cfg.Listen = net.JoinHostPort(host, strconv.Itoa(a.Port))
	}
}

// Config returns the Config of the server. Its Listen has the port in use. To restart the
// server, call Close, and then Start with this Config: clients then reconnect.
func (s *Server) Config() Config { return s.cfg }

// Dir returns the folder of the server.
func (s *Server) Dir() string { return s.dir }

// ClientURL returns the URL for clients. It is empty for InProcessOnly.
func (s *Server) ClientURL() string {
	if s.cfg.Listen == InProcessOnly {
		return ""
	}
	return s.server.ClientURL()
}

// Connect connects to the server inside the process, without a port. The connection ends with
// the server. It does not reconnect to a server that is started later.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(opts, nats.InProcessServer(s.server))...)
}

// Ready waits until JetStream takes requests. A server that runs alone is ready at once. A
// cluster member must first reach a majority of the members; after all members were
// stopped, the election of a leader takes a few seconds.
func (s *Server) Ready(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !s.server.JetStreamIsCurrent() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("embedded: server %q has not found its cluster: %w", s.server.Name(), ctx.Err())
		}
	}
	return nil
}

// Leads reports whether the server leads the metadata of the cluster. Each stream has a
// leader of its own. Leads returns true for a server that runs alone.
func (s *Server) Leads() bool { return s.server.JetStreamIsLeader() }

// Close hands over the streams that the server leads, and stops the server. It returns when
// the server has stopped. It may be called again.
func (s *Server) Close() {
	s.close.Do(func() {
		if s.server != nil {
			s.server.Shutdown()
			s.server.WaitForShutdown()
		}
		_ = s.lock.Close() // nothing was written through it
	})
}
