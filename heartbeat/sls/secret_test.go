package sls

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// The planted secrets. Nothing that is printed may have a piece of either.
const (
	canarySecret = "canarySecret0123456789abcdefgh"
	canaryToken  = "canaryToken0123456789abcdefghijklmnopqrstuvwxyz0123456789"
)

// revealed reports whether a text has the canaries, plain, quoted, in hex or as bytes.
func revealed(text string) bool {
	for _, c := range []string{canarySecret, canaryToken} {
		forms := []string{c[:12], fmt.Sprintf("%x", c[:12]), fmt.Sprintf("%X", c[:12]), strings.Trim(fmt.Sprint([]byte(c[:12])), "[]")}
		for _, form := range forms {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	return false
}

// prints renders a value in every way there is.
func prints(v any) string {
	var b bytes.Buffer
	for _, verb := range "vsdqxXTtbcoeEfFgGUp" {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "40"} {
			fmt.Fprintf(&b, "%"+flag+string(verb)+"\n", v)
		}
	}
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	_ = gob.NewEncoder(&b).Encode(v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&b), zap.DebugLevel)
	zap.New(core).Info("x", zap.Any("v", v), zap.Reflect("r", v))
	return b.String()
}

func TestSecretsAreNotPrinted(t *testing.T) {
	secret := heartbeat.NewSecret(canarySecret)
	if revealed("Y2FuYXJ5") || !revealed(fmt.Sprint([]byte(canaryToken))) || !revealed("x"+canarySecret) {
		t.Fatal("the test is blind")
	}
	creds := Credentials{AccessKeyID: "id", AccessKeySecret: secret, SecurityToken: heartbeat.NewSecret(canaryToken), Expires: time.Now()}
	ring := newKeyring(t.Context(), Static("id", canarySecret, canaryToken), time.Second, zap.NewNop())
	cfg := config(nil)
	cfg.Credentials = Static("id", canarySecret, canaryToken)
	client := newClient(t, cfg)
	for name, v := range map[string]any{
		"secret": secret, "pointer": &secret, "credentials": creds, "pointer to credentials": &creds,
		"unexported": struct{ s heartbeat.Secret }{secret}, "slice": []heartbeat.Secret{secret}, "map": map[string]heartbeat.Secret{"x": secret},
		"key": map[string]any{"x": &creds}, "provider": Static("id", canarySecret, canaryToken), "keyring": ring,
		"config": cfg, "pointer to config": &cfg, "client": client, "client by value": struct{ c *Client }{client},
		"group": &client.group,
	} {
		if out := prints(v); revealed(out) {
			t.Errorf("%s shows a secret", name)
		}
	}
}

// Whatever goes wrong, and whatever the service or the provider sends back, no error
// and no log line has a secret in it.
func TestSecretsAreNotInErrors(t *testing.T) {
	echo := canarySecret + " " + canaryToken
	q := url.QueryEscape(canaryToken)
	answers := map[string]func(s sent) (*http.Response, error){
		"refusal": func(sent) (*http.Response, error) { return refuse(401, echo, echo), nil },
		"deep in a message": func(sent) (*http.Response, error) {
			return refuse(400, "X", strings.Repeat("x", maxMessage-20)+echo), nil
		},
		"request id": func(sent) (*http.Response, error) {
			return reply(400, `{"errorCode":"X"}`, headerRequestID, strings.Repeat("x", 50)+canaryToken), nil
		},
		"page": func(s sent) (*http.Response, error) {
			page := fmt.Sprintf("<html><title>%s</title>%s %s %x %v", echo, html.EscapeString(echo), q, canarySecret, s.Header)
			return foreignReply(403, page, "Location", "https://"+canarySecret+"/"+q, headerContentType, "text/"+canarySecret), nil
		},
		"page without a title": func(s sent) (*http.Response, error) {
			page := fmt.Sprintf("%s %s %s %v %v", html.EscapeString(echo), q, echo, s.Header, s.URL)
			return foreignReply(200, page), nil
		},
		"network": func(s sent) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: "https://h/?t=" + q, Err: errors.New("tls: " + echo)}
		},
		"body":   func(sent) (*http.Response, error) { return reply(200, `["`+canaryToken+`"]`), nil },
		"number": func(sent) (*http.Response, error) { return reply(200, `["`+canarySecret+`"]`), nil },
		"objects": func(sent) (*http.Response, error) {
			return reply(200, `[{"shardID":1,"status":"`+canaryToken+`"}]`), nil
		},
		"object": func(sent) (*http.Response, error) { return reply(200, `{"cursor":" `+canaryToken+`"}`), nil },
		"headers": func(sent) (*http.Response, error) {
			return reply(200, "", headerCursor, canaryToken, headerCount, canaryToken, headerBodyRawSize, canaryToken), nil
		},
		"compression": func(sent) (*http.Response, error) {
			return reply(200, "", headerCursor, "x", headerCount, "0", headerBodyRawSize, "0", headerCompressType, canaryToken), nil
		},
	}
	for name, answer := range answers {
		for _, signature := range []Signature{V1, V4} {
			var log bytes.Buffer
			cfg := config(&wire{answer: answer})
			cfg.Signature, cfg.Region = signature, "r"
			cfg.Credentials = Static("id", canarySecret, canaryToken)
			cfg.Logger = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&log), zap.DebugLevel))
			c := newClient(t, cfg)
			for op, call := range operations(c) {
				if err := call(t.Context()); err != nil && revealed(prints(err)+err.Error()) {
					t.Errorf("%s: the error of %s shows a secret: %v", name, op, err)
				}
			}
			if _, err := c.Beat(t.Context(), request()); err != nil && revealed(prints(err)+err.Error()) {
				t.Errorf("%s: the error of Beat shows a secret: %v", name, err)
			}
			if revealed(log.String()) {
				t.Errorf("%s: the log shows a secret", name)
			}
		}
	}
}

// A secret that is as short as what belongs there is recognised all the same.
func TestShortSecrets(t *testing.T) {
	w := always(200, `["shortToken"]`)
	cfg := config(w)
	cfg.Credentials = Static("id", "aSecret", "shortToken")
	_, err := newClient(t, cfg).heartbeat(t.Context(), "c1", nil)
	if err == nil || strings.Contains(err.Error(), "shortToken") || !strings.Contains(err.Error(), "[hidden]") {
		t.Errorf("the error is %v", err)
	}
}

// A provider that has given credentials may talk of them when it fails later.
func TestSecretsOfAProvider(t *testing.T) {
	n := 0
	cfg := config(always(401, `{"errorCode":"Unauthorized"}`))
	cfg.Credentials = providerFunc(func(context.Context) (Credentials, error) {
		if n++; n > 1 {
			return Credentials{}, errors.New("no more " + canarySecret)
		}
		return Credentials{AccessKeyID: "id", AccessKeySecret: heartbeat.NewSecret(canarySecret)}, nil
	})
	_, err := newClient(t, cfg).ListShards(t.Context())
	if want := "; sls: credentials: no more [hidden]"; err == nil || !strings.HasSuffix(err.Error(), want) || revealed(prints(err)) {
		t.Errorf("the error is %v, want it to end with %s", err, want)
	}
}

type providerFunc func(context.Context) (Credentials, error)

func (f providerFunc) Credentials(ctx context.Context) (Credentials, error) { return f(ctx) }

// A secret that is a part of a code is hidden in what is shown, and the code counts all
// the same.
func TestShortSecretsHideNoCode(t *testing.T) {
	for _, secret := range []string{"x", "Consumer", "Not"} {
		w := service(6, func(s sent) *http.Response {
			if s.URL.Query().Get("type") == "heartbeat" {
				return refuse(400, "NotExistConsumerWithBody", "m")
			}
			return nil
		})
		cfg := config(w)
		cfg.Credentials = Static("id", secret, "")
		_, err := newClient(t, cfg).Beat(t.Context(), request(0))
		if !errors.Is(err, heartbeat.ErrEvicted) {
			t.Errorf("secret %q: eviction missed: %v; retryable %v", secret, err, heartbeat.Retryable(err))
		}
	}
}
