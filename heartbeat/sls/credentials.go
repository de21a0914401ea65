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

// Credentials sign requests.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret heartbeat.Secret
	// SecurityToken belongs to temporary credentials. Empty means lasting ones.
	SecurityToken heartbeat.Secret
	// Expires is when the credentials end. The client asks the provider for new ones up to 5
	// minutes earlier. Zero means unknown: the client then asks every 10 seconds while it makes
	// requests, and uses the credentials until the service refuses them.
	Expires time.Time
}

// CredentialsProvider returns credentials. A client has one call to it at a time, on a goroutine
// of its own. So a provider that is slow, hangs or fails delays no request while the last
// credentials are good. A request waits for the provider only if it has no credentials or the
// service refused them.
//
// The context ends after Config.RequestTimeout and with Client.Close. A provider that ignores it
// delays the next call. A panic counts as an error. The client shows an error without known
// secrets. heartbeat.Retryable is true of it, unless the error has a method Retryable() bool that
// returns false.
type CredentialsProvider interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// The variables that the official tools use.
const (
	envKeyID  = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" //nolint:gosec // a name, not a secret
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"    //nolint:gosec // a name, not a secret
)

// Static returns a provider of credentials that never change. The token may be empty. New refuses
// keys with blanks, line ends or other characters that keys do not have.
func Static(id, secret, token string) CredentialsProvider {
	return static{Credentials{AccessKeyID: id, AccessKeySecret: heartbeat.NewSecret(secret), SecurityToken: heartbeat.NewSecret(token)}}
}

type static struct{ credentials Credentials }

func (s static) Credentials(context.Context) (Credentials, error) { return s.credentials, nil }

func (s static) validate() error { return s.credentials.validate() }

// FromEnv returns a provider of the credentials in the environment: ALIBABA_CLOUD_ACCESS_KEY_ID,
// ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary credentials, ALIBABA_CLOUD_SECURITY_TOKEN. It
// reads the environment at each call. New fails if the variables are missing or hold no keys.
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

// validate checks that the credentials can sign requests. Its error does not show them.
func (c Credentials) validate() error {
	err := accesskey.Check(c.AccessKeyID, c.AccessKeySecret.Reveal(), c.SecurityToken.Reveal())
	if err != nil {
		return fmt.Errorf("cannot sign requests: %w", err)
	}
	return nil
}

// same reports whether o signs requests in the same way.
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

// Retryable returns true, unless the provider's error says otherwise.
func (e *credentialsError) Retryable() bool {
	var says interface{ Retryable() bool }
	return !errors.As(e.Unwrap(), &says) || says.Retryable()
}
