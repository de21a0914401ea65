package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// nodeCommand has this program be a server of the cluster.
const nodeCommand = "node"

// runNode is a server's process. It prints a line when clients can connect, and ends
// with ctx.
func runNode(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var name, dir, listen, cluster, routes string
	fs := flag.NewFlagSet(nodeCommand, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&name, "name", "", "")
	fs.StringVar(&dir, "dir", "", "")
	fs.StringVar(&listen, "listen", "", "")
	fs.StringVar(&cluster, "cluster", "", "")
	fs.StringVar(&routes, "routes", "", "")
	if err := fs.Parse(args); err != nil {
		return exitUsage
	}
	server, err := embedded.Start(dir, embedded.Config{
		Name: name, Listen: listen,
		Cluster: embedded.Cluster{Name: "drill", Listen: cluster, Routes: strings.Split(routes, ",")},
	})
	if err != nil {
		fmt.Fprintf(stderr, "node %s: %v\n", name, err)
		return exitFailed
	}
	fmt.Fprintln(stdout, "listens")
	<-ctx.Done()
	server.Close()
	return exitOK
}

// node is a server's process as the drill sees it.
type node struct {
	name            string
	dir             string
	listen, cluster string // addresses
	routes          string
	flush           time.Duration // how much longer the disk takes for each flush
	cmd             *exec.Cmd
	done            chan struct{} // closed when the process has ended
	err             error         // how it ended
}

// newNodes chooses names and addresses for so many servers below a directory.
func newNodes(dir string, n int) ([]*node, error) {
	addresses, err := freeAddresses(2 * n)
	if err != nil {
		return nil, err
	}
	var nodes []*node
	var routes []string
	for i := range n {
		name := fmt.Sprintf("n%d", i+1)
		nodes = append(nodes, &node{
			name: name, dir: filepath.Join(dir, name), listen: addresses[2*i], cluster: addresses[2*i+1],
		})
		routes = append(routes, "nats://"+addresses[2*i+1])
	}
	for _, n := range nodes {
		n.routes = strings.Join(routes, ",")
	}
	return nodes, nil
}

// freeAddresses returns addresses of this machine that nobody listened on a moment ago.
func freeAddresses(n int) (addresses []string, err error) {
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

// url is where clients connect.
func (n *node) url() string { return "nats://" + n.listen }

// startTimeout is how long a server may take to read what it has and to listen.
const startTimeout = 30 * time.Second

// start starts the server and waits until it listens.
func (n *node) start(stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	line := append(slower(n.flush),
		self, nodeCommand, "-name", n.name, "-dir", n.dir, "-listen", n.listen, "-cluster", n.cluster, "-routes", n.routes)
	n.cmd = exec.Command(line[0], line[1:]...)
	n.cmd.Stderr = stderr
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	listens, done := make(chan struct{}), make(chan struct{})
	n.done = done
	go func() { // ends with the process; who ends that waits for it
		defer close(done)
		if _, err := bufio.NewReader(out).ReadString('\n'); err == nil {
			close(listens)
		}
		n.err = n.cmd.Wait()
	}()
	select {
	case <-listens:
		return nil
	case <-done:
		return fmt.Errorf("server %s: %w", n.name, n.err)
	case <-time.After(startTimeout):
		return fmt.Errorf("server %s does not listen after %v", n.name, startTimeout)
	}
}

// stop has the server hand over what it leads, and end.
func (n *node) stop() error {
	if err := n.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	<-n.done
	return n.err
}

// kill ends the server where it stands.
func (n *node) kill() {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.done
}
