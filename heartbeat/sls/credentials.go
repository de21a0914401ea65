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
	// SecurityToken belongs to temporary credentials. Empty means permanent ones.
	SecurityToken heartbeat.Secret
	// Expires is when the credentials expire. The client asks the provider for new ones up to 5
	// minutes earlier. Zero means unknown: while the client sends requests, it then asks the
	// provider every 10 seconds, and uses the last credentials until the service refuses them.
	Expires time.Time
}

// CredentialsProvider returns credentials. A client makes one call at a time, on a separate
// goroutine. So a provider that is slow, hangs or fails delays no request while the last
// credentials are valid. A request waits for the provider only if the client has no valid
// credentials, or if the service refused them.
//
// The context ends after Config.RequestTimeout, or when Client.Close is called. A provider that
// ignores its context delays the next call. A panic counts as an error.
//
// The client removes the secrets that it knows from the provider's error. The error of the request
// is retryable (heartbeat.Retryable), unless the provider's error has a method Retryable() bool
// that returns false.
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
// keys that contain a space, a line end or another character that no key has.
func Static(id, secret, token string) CredentialsProvider {
	return static{Credentials{AccessKeyID: id, AccessKeySecret: heartbeat.NewSecret(secret), SecurityToken: heartbeat.NewSecret(token)}}
}

type static struct{ credentials Credentials }

func (s static) Credentials(context.Context) (Credentials, error) { return s.credentials, nil }

func (s static) validate() error { return s.credentials.validate() }

// FromEnv returns a provider of the credentials in the environment: ALIBABA_CLOUD_ACCESS_KEY_ID,
// ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary credentials, ALIBABA_CLOUD_SECURITY_TOKEN. It
// reads the environment at each call. New fails if a key is missing or has a character that no key
// has.
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

// Retryable returns true, unless the provider's error has a Retryable that returns false.
func (e *credentialsError) Retryable() bool {
	var says interface{ Retryable() bool }
	return !errors.As(e.Unwrap(), &says) || says.Retryable()
}
