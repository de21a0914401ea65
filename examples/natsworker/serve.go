package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// serve starts the server of -embedded, if there is to be one, and has the worker use it.
func (o *options) serve(log *zap.Logger, stderr io.Writer) (stop func(), err error) {
	if o.embedded == "" {
		return func() {}, nil
	}
	server, err := embedded.Start(o.embedded, embedded.Config{Listen: o.listen, Logger: log})
	if err != nil {
		return nil, o.explain(err)
	}
	o.servers.URLs = server.ClientURL()
	fmt.Fprintf(stderr, "server: the data is in %s; other workers say -servers %s\n", o.embedded, server.ClientURL())
	return server.Close, nil
}

// explain adds to an error of starting the server what to do, if one is there already.
func (o *options) explain(err error) error {
	c, dialErr := net.DialTimeout("tcp", o.listen, time.Second)
	if dialErr != nil {
		return err
	}
	_ = c.Close()
	return fmt.Errorf("%w; another process listens on %s: if that is the server of this directory, say -servers nats://%s instead of -embedded",
		err, o.listen, o.listen)
}
