package sls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/accesskey"
)

// Credentials are what requests are signed with.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret heartbeat.Secret
	// SecurityToken is for temporary credentials; empty for lasting ones.
	SecurityToken heartbeat.Secret
	// Expires is when they end. The client asks for new ones some time before. Zero
	// means that nobody knows: the client then asks every 10 seconds, as long as it
	// makes requests, and uses them until the service refuses them.
	Expires time.Time
}

// CredentialsProvider gives credentials. A client asks it one question at a time, on a
// goroutine of its own, beside the requests: a provider that is slow, hangs or fails costs
// no request while the last credentials are good. Only a request that has none to sign
// with, or whose credentials the service refused, waits for the answer.
//
// The ctx ends after Config.RequestTimeout, and with Client.Close. A provider that ignores
// it holds up the next question. A panic is an error. Errors are shown, with known secrets
// taken out; they may pass, unless they have a method Retryable() bool that says otherwise.
type CredentialsProvider interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// The names by which the official tools know them.
const (
	envKeyID  = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" //nolint:gosec // a name, not a secret
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"    //nolint:gosec // a name, not a secret
)

// Static provides credentials that never change. The token may be empty. New refuses keys
// with blanks, line ends or other characters that keys do not have.
func Static(id, secret, token string) CredentialsProvider {
	return static{Credentials{AccessKeyID: id, AccessKeySecret: heartbeat.NewSecret(secret), SecurityToken: heartbeat.NewSecret(token)}}
}

type static struct{ credentials Credentials }

func (s static) Credentials(context.Context) (Credentials, error) { return s.credentials, nil }

func (s static) validate() error { return s.credentials.validate() }

// FromEnv provides the credentials in the environment: ALIBABA_CLOUD_ACCESS_KEY_ID,
// ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary ones, ALIBABA_CLOUD_SECURITY_TOKEN.
// It reads them anew each time it is asked. New fails if they are not there, or are not
// keys. Like those of Static they are final: only the process itself could change them.
func FromEnv() CredentialsProvider { return environment{} }

type environment struct{}

func (e environment) Credentials(context.Context) (Credentials, error) {
	c := Credentials{
		AccessKeyID:     os.Getenv(envKeyID),
		AccessKeySecret: heartbeat.NewSecret(os.Getenv(envSecret)),
		SecurityToken:   heartbeat.NewSecret(os.Getenv(envToken)),
	}
	if c.AccessKeyID == "" || c.AccessKeySecret.Empty() {
		return Credentials{}, fmt.Errorf("%s and %s are not both set: %w", envKeyID, envSecret, heartbeat.ErrUnauthorized)
	}
	return c, nil
}

func (e environment) validate() error {
	c, err := e.Credentials(context.Background())
	if err != nil {
		return err
	}
	return c.validate()
}

// validate checks that requests can be signed with the credentials. What it says shows
// none of them.
func (c Credentials) validate() error {
	err := accesskey.Check(c.AccessKeyID, c.AccessKeySecret.Reveal(), c.SecurityToken.Reveal())
	if err != nil {
		return fmt.Errorf("cannot sign requests: %w", err)
	}
	return nil
}

// same reports whether signing with o gives nothing new.
func (c Credentials) same(o Credentials) bool {
	return c.AccessKeyID == o.AccessKeyID &&
		c.AccessKeySecret.Reveal() == o.AccessKeySecret.Reveal() &&
		c.SecurityToken.Reveal() == o.SecurityToken.Reveal()
}

// credentialsError is the failure of a CredentialsProvider.
type credentialsError struct {
	text  string // without secrets
	cause hiddenError
}

func newCredentialsError(text string, cause error) *credentialsError {
	return &credentialsError{text: text, cause: func() error { return cause }}
}

func (e *credentialsError) Error() string { return "sls: credentials: " + e.text }

// Unwrap returns the provider's error.
func (e *credentialsError) Unwrap() error { return e.cause.reveal() }

// Retryable reports whether the provider may have credentials later. It may, unless its
// error says otherwise.
func (e *credentialsError) Retryable() bool {
	var says interface{ Retryable() bool }
	return !errors.As(e.Unwrap(), &says) || says.Retryable()
}
