package postgres

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// options are the socket options that the tests check, with the values of Tune.
var options = []struct {
	name               string
	level, option, set int
}{
	{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 3},
	{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 1},
	{"TCP_KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3},
	{"TCP_USER_TIMEOUT", syscall.IPPROTO_TCP, tcpUserTimeout, 4500},
}

// Tune sets the options of the sockets.
func TestTunedSocket(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := parsed(t, "postgres://nobody@nowhere/nothing")
	Tune(cfg)
	c, err := cfg.ConnConfig.DialFunc(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, o := range options {
			if got, err := syscall.GetsockoptInt(int(fd), o.level, o.option); err != nil || got != o.set {
				t.Errorf("%s is %d, want %d; %v", o.name, got, o.set, err)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// Tune also works for a server on the same machine over a Unix socket.
func TestTuneLeavesLocalSocketsAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := parsed(t, "postgres://nobody@nowhere/nothing")
	Tune(cfg)
	c, err := cfg.ConnConfig.DialFunc(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
