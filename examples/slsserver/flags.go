package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// options are the program's flags.
type options struct {
	listen    string
	admin     string
	level     zapcore.Level
	project   string
	logstores []slsserver.Logstore
	keyID     string
	config    slsserver.Config
}

const (
	envID     = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

func parse(args []string, env func(string) string, stderr io.Writer) (options, error) {
	o := options{level: zapcore.InfoLevel}
	fs := flag.NewFlagSet("slsserver", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.listen, "listen", "127.0.0.1:10010", "`address` to listen on; port 0 takes a free one")
	fs.StringVar(&o.project, "project", "demo", "`name` of the project")
	fs.Func("logstore", "`name:shards` of a logstore; may be repeated (default app:4)", func(s string) error {
		l, err := parseLogstore(s)
		o.logstores = append(o.logstores, l)
		return err
	})
	fs.DurationVar(&o.config.Retention, "retention", 0, "how long log groups are kept (default: for ever)")
	fs.Int64Var(&o.config.RetentionBytes, "retention-bytes", 0, "how many `bytes` of memory the log groups of a shard take at most (default 256 MiB; -1: no bound)")
	key := fs.String("key", "", "`id:secret` that has to sign requests; \"env\" takes "+envID+", "+envSecret+" and "+envToken+
		" (default: nothing is verified)")
	fs.BoolVar(&o.config.Insecure, "insecure", false, "without -key, listen on other than loopback addresses and serve any host")
	fs.StringVar(&o.admin, "admin", "", "loopback `address` for faults and states (default: none)")
	fs.TextVar(&o.level, "log-level", zapcore.InfoLevel, "`level`: debug, info, warn or error")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", fs.Arg(0))
	}
	if len(o.logstores) == 0 {
		o.logstores = []slsserver.Logstore{{Name: "app", Shards: 4}}
	}
	o.config.Projects = []slsserver.Project{{Name: o.project, Logstores: o.logstores}}
	return o, o.setKey(*key, env)
}

func parseLogstore(s string) (slsserver.Logstore, error) {
	name, digits, counted := strings.Cut(s, ":")
	l := slsserver.Logstore{Name: name}
	if !counted {
		return l, nil
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 {
		return l, fmt.Errorf("%q is not a number of shards", digits)
	}
	l.Shards = n
	return l, nil
}

func (o *options) setKey(key string, env func(string) string) error {
	if key == "" {
		return nil
	}
	id, secret, ok := strings.Cut(key, ":")
	token := ""
	if key == "env" {
		id, secret, token, ok = env(envID), env(envSecret), env(envToken), true
	}
	if !ok || id == "" || secret == "" {
		return errors.New("-key is not id:secret, or the environment has no key")
	}
	o.keyID = id
	o.config.Keys = []slsserver.Key{{ID: id, Secret: heartbeat.NewSecret(secret), Token: heartbeat.NewSecret(token)}}
	return nil
}
