package main

import (
	"errors"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/shardset"
)

// client makes the client of the service. It does no I/O.
func (o *options) client(log *zap.Logger) (*sls.Client, error) {
	return sls.New(sls.Config{
		Endpoint: o.endpoint, Project: o.project, Logstore: o.logstore, Group: o.group,
		Timeout: o.timeout, Ordered: o.order, UpdateGroup: o.updateGroup,
		Credentials: credentials(), Signature: o.signature, Region: o.region, AllowInsecure: o.insecure,
		Member: o.member, Logger: log,
	})
}

// credentials returns those of the environment, and nil if it has none.
func credentials() sls.CredentialsProvider {
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		if os.Getenv(name) != "" {
			return sls.FromEnv() // which sees whether they are complete
		}
	}
	return nil
}

// clientFaults tells the faults of a client's Config by the names of the flags, which
// are those of its fields.
func (o *options) clientFaults(faults *faults, err error) {
	var bad *shardset.ConfigError
	switch {
	case errors.As(err, &bad):
		for _, f := range bad.Faults {
			switch {
			case f.Field == "Credentials":
				faults.add("the credentials in the environment %s", f.Reason)
			case f.Field == "Timeout" && o.timeout <= 0: // known
			default:
				faults.add("-%s %s", strings.ToLower(f.Field), f.Reason)
			}
		}
	case err != nil:
		faults.add("%v", err)
	}
}
