package heartbeat_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/heartbeat"
)

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

func TestSecretIsNotPrinted(t *testing.T) {
	const canary, hidden = "canarySecret", "[hidden]"
	secret := heartbeat.NewSecret(canary)
	none := heartbeat.Secret{}
	if secret.Reveal() != canary || secret.Empty() || !none.Empty() || !heartbeat.NewSecret("").Empty() {
		t.Fatal("a secret does not keep its value")
	}
	if secret.String() != hidden || none.String() != "" {
		t.Errorf("a secret prints as %q, none as %q", secret, none)
	}
	if got := fmt.Sprintf("%v %+v %#v %s %q %d %x %t", secret, secret, secret, secret, secret, secret, secret, secret); got != strings.Repeat(hidden+" ", 7)+hidden {
		t.Errorf("a secret prints as %q", got)
	}
	type fields struct {
		s heartbeat.Secret
		S heartbeat.Secret
	}
	for name, v := range map[string]any{
		"value": secret, "pointer": &secret, "struct": fields{secret, secret}, "pointer to struct": &fields{secret, secret},
		"slice": []heartbeat.Secret{secret}, "map": map[string]heartbeat.Secret{"x": secret}, "any": map[string]any{"x": &secret},
	} {
		out := prints(v)
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), strings.Trim(fmt.Sprint([]byte(canary)), "[]")} {
			if strings.Contains(out, form) {
				t.Errorf("%s: prints show %q", name, form)
			}
		}
		if !strings.Contains(out, hidden) {
			t.Errorf("%s: nothing says that a value is hidden", name)
		}
	}
}
