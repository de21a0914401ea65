package sls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// Credentials are what requests are signed with.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret Secret
	// SecurityToken is for temporary credentials; empty for lasting ones.
	SecurityToken Secret
	// Expires is when they end. The client asks for new ones some time before. Zero
	// means that nobody knows: the provider is then asked before each request.
	Expires time.Time
}

// CredentialsProvider gives credentials. It must be safe for concurrent use and honour
// ctx. The client remembers what it gave until shortly before it expires, asks once
// where several requests need it, and asks again when the service refuses it. Its
// errors are shown, with known secrets taken out.
type CredentialsProvider interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// The names by which the official tools know them.
const (
	envKeyID  = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET" //nolint:gosec // a name, not a secret
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"    //nolint:gosec // a name, not a secret
)

// Static provides credentials that never change. The token may be empty.
func Static(id, secret, token string) CredentialsProvider {
	return static{Credentials{AccessKeyID: id, AccessKeySecret: NewSecret(secret), SecurityToken: NewSecret(token)}}
}

type static struct{ credentials Credentials }

func (s static) Credentials(context.Context) (Credentials, error) { return s.credentials, nil }

func (s static) validate() error { return s.credentials.validate() }

// FromEnv provides the credentials in the environment: ALIBABA_CLOUD_ACCESS_KEY_ID,
// ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary ones, ALIBABA_CLOUD_SECURITY_TOKEN.
// It reads them anew each time it is asked. New fails if they are not there.
func FromEnv() CredentialsProvider { return environment{} }

type environment struct{}

func (e environment) Credentials(context.Context) (Credentials, error) {
	c := Credentials{
		AccessKeyID:     os.Getenv(envKeyID),
		AccessKeySecret: NewSecret(os.Getenv(envSecret)),
		SecurityToken:   NewSecret(os.Getenv(envToken)),
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

// validate checks that the credentials can be sent. What it says shows none of them.
func (c Credentials) validate() error {
	switch {
	case c.AccessKeyID == "":
		return errors.New("have no access key id")
	case c.AccessKeySecret.Empty():
		return errors.New("have no access key secret")
	case !validHeader(c.AccessKeyID):
		return errors.New("have an access key id that cannot be sent in a header")
	case !c.SecurityToken.Empty() && !validHeader(c.SecurityToken.Reveal()):
		return errors.New("have a security token that cannot be sent in a header")
	}
	return nil
}

// validHeader takes no blanks: at an end they would be lost on the way.
func validHeader(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// same reports whether signing with o gives nothing new.
func (c Credentials) same(o Credentials) bool {
	return c.AccessKeyID == o.AccessKeyID &&
		c.AccessKeySecret.Reveal() == o.AccessKeySecret.Reveal() &&
		c.SecurityToken.Reveal() == o.SecurityToken.Reveal()
}

// CredentialsError is the failure of a CredentialsProvider.
type CredentialsError struct {
	text  string // without secrets
	cause hiddenError
}

func newCredentialsError(text string, cause error) *CredentialsError {
	return &CredentialsError{text: text, cause: func() error { return cause }}
}

func (e *CredentialsError) Error() string { return "sls: credentials: " + e.text }

// Unwrap returns the provider's error.
func (e *CredentialsError) Unwrap() error { return e.cause.reveal() }
