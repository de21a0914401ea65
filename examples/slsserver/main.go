// Slsserver runs the embedded server that speaks the protocol of Alibaba Cloud Simple Log
// Service (SLS), so that programs that use an SLS SDK, and Rollcall's own workers, run without
// the cloud.
//
//	go run ./examples/slsserver -project demo -logstore app:8
//
// It prints its address and how to point an SDK at it, and serves until SIGTERM or SIGINT.
// It keeps everything in memory: what was written is gone when it ends.
//
// The exit status is 0 after a signal, 1 when it cannot serve, and 2 for a wrong flag.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program without its process.
func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	o, err := parse(args, env, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "slsserver:", err)
		return 2
	}
	if err := serve(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	o.config.Logger = zap.New(zapcore.NewCore(
		zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.Lock(zapcore.AddSync(stderr)), o.level))
	srv, err := slsserver.New(o.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	l, err := srv.Listen(o.listen)
	if err != nil {
		return err
	}
	var admin net.Listener
	if o.admin != "" {
		if admin, err = net.Listen("tcp", o.admin); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	// Each server has a goroutine that ends when the server is closed.
	servers, failed := errgroup.WithContext(ctx)
	servers.Go(func() error { return srv.Serve(l) })
	if admin != nil {
		servers.Go(func() error { return srv.ServeAdmin(admin) })
	}
	var adminAddr net.Addr
	if admin != nil {
		adminAddr = admin.Addr()
	}
	introduce(stdout, o, l.Addr(), adminAddr)
	<-failed.Done() // a signal, or one of them could not serve
	return errors.Join(srv.Close(), servers.Wait())
}
