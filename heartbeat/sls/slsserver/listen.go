package slsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxHeaderBytes    = 3 * maxTarget // more than maxTarget, so that the server itself can refuse a long path or query
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 3 * time.Minute
	closeGrace        = 2 * time.Second
)

// network holds what Close must close.
type network struct {
	mu      sync.Mutex
	servers []*http.Server
	bound   []net.Listener // the listeners of Listen: Serve may not have started yet
	closed  bool
}

// Listen binds addr, a host:port. Without keys it refuses an address that is not a loopback
// address, unless Config.Insecure is set. Close closes the listener.
func (s *Server) Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("slsserver: %w", err)
	}
	if err := s.permitted(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if s.net.closed {
		return nil, errors.Join(http.ErrServerClosed, l.Close())
	}
	s.net.bound = append(s.net.bound, l)
	return l, nil
}

func (s *Server) permitted(l net.Listener) error {
	if s.cfg.Insecure || len(*s.keys.Load()) > 0 || isLoopback(l.Addr()) {
		return nil
	}
	return fmt.Errorf("slsserver: %s is not a loopback address; set Config.Keys, or Config.Insecure", l.Addr())
}

func isLoopback(a net.Addr) bool {
	if a.Network() != "tcp" { // a Unix socket, or a pipe in a test
		return true
	}
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// Serve serves requests on l until Close, closes l and returns nil. It refuses an l whose address
// Listen refuses, and closes it.
func (s *Server) Serve(l net.Listener) error {
	if err := s.permitted(l); err != nil {
		return errors.Join(err, l.Close())
	}
	return s.net.serve(l, s, s.log)
}

func (n *network) serve(l net.Listener, h http.Handler, log *zap.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	if std, err := zap.NewStdLogAt(log, zap.DebugLevel); err == nil {
		srv.ErrorLog = std
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		_ = l.Close()
		return nil
	}
	n.servers = append(n.servers, srv)
	n.mu.Unlock()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("slsserver: %w", err)
	}
	return nil
}

func (n *network) close() error {
	n.mu.Lock()
	n.closed = true
	servers, bound := n.servers, n.bound
	n.servers, n.bound = nil, nil
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	var errs []error
	for _, srv := range servers {
		if srv.Shutdown(ctx) != nil {
			errs = append(errs, srv.Close())
		}
	}
	for _, l := range bound {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // usually Shutdown has closed it
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
