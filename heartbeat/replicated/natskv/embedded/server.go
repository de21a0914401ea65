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

// startTimeout bounds how long a server may take until it accepts connections. It
// reads what its folder holds first.
const startTimeout = 30 * time.Second

// look is the pause between two looks at a server that is starting.
const look = 5 * time.Millisecond

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	dir    string
	cfg    Config
	server *server.Server
	lock   io.Closer
	close  sync.Once
}

// Start starts a server that keeps its state in the folder dir, which it makes if need
// be, and returns when clients can connect. At most one Config says what is not as
// usual; it is checked whole, and the error names every faulty field. One folder
// belongs to one server at a time.
//
// A member of a cluster is of no use before most of the others run: see Ready.
func Start(dir string, cfg ...Config) (*Server, error) {
	var c Config
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		return nil, errors.New("embedded: there is more than one Config")
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
	s.remember()
	return s, nil
}

func (s *Server) run(o *server.Options) (err error) {
	if err := suits(s.dir, s.cfg.Cluster.set()); err != nil {
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

// remember writes the port that was found into the Config, for a restart.
func (s *Server) remember() {
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

// Config returns what Start was given, with the port in Listen that the server has:
// Start with it, once this server is closed, is a restart that clients find.
func (s *Server) Config() Config { return s.cfg }

// Dir returns the server's folder.
func (s *Server) Dir() string { return s.dir }

// ClientURL returns where clients connect, or "" if the server has no port.
func (s *Server) ClientURL() string {
	if s.cfg.Listen == InProcessOnly {
		return ""
	}
	return s.server.ClientURL()
}

// Connect connects to the server without a network. Such a connection ends with the
// server; it does not find one that is started in its place.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(opts, nats.InProcessServer(s.server))...)
}

// Ready waits until JetStream takes requests. For a server alone that is at once. A
// member of a cluster needs to hear from a majority first, and, after all were
// stopped, one election: a few seconds.
func (s *Server) Ready(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !s.server.JetStreamIsCurrent() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("embedded: server %q waits for its cluster: %w", s.server.Name(), ctx.Err())
		}
	}
	return nil
}

// Leads reports whether the server leads its cluster's metadata, which has no bearing on
// who leads a stream. A server alone leads.
func (s *Server) Leads() bool { return s.server.JetStreamIsLeader() }

// Close stops the server, having handed over what it leads, and returns when all of it
// has stopped. It may be called again.
func (s *Server) Close() {
	s.close.Do(func() {
		if s.server != nil {
			s.server.Shutdown()
			s.server.WaitForShutdown()
		}
		_ = s.lock.Close() // nothing was written through it
	})
}
