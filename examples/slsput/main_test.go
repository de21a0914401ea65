package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

func TestJSON(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	r.ok(4, `{"b":"x","a":1.50,"c":{"d": [1, 2]},"e":null,"f":true,"g":"ä\n","__time__":1700000000.25}
{"__time__":"2024-05-06T07:08:09.5Z","__topic__":"t","__source__":"s","__tag__:k":"v","a":""}
{"__time__":"1700000001","a":"same group as the first"}
{}
`, "-json", "-topic", "usual")
	groups := r.stored(0)
	if len(groups) != 2 || groups[0].Len() != 3 || groups[1].Len() != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	var got []string
	for _, g := range groups {
		for l := range g.Logs() {
			at := l.Time().UTC().Format(time.RFC3339Nano)
			if time.Since(l.Time()) < time.Minute {
				at = "now"
			}
			got = append(got, at)
			for k, v := range l.Contents() {
				got = append(got, string(k)+"="+string(v))
			}
		}
	}
	want := []string{
		"2023-11-14T22:13:20.25Z", "b=x", "a=1.50", `c={"d": [1, 2]}`, "e=null", "f=true", "g=ä\n",
		"2023-11-14T22:13:21Z", "a=same group as the first", "now", "2024-05-06T07:08:09.5Z", "a=",
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if tag, _ := groups[1].Tag("k"); string(groups[0].Topic()) != "usual" || string(groups[1].Topic()) != "t" ||
		string(groups[1].Source()) != "s" || string(tag) != "v" {
		t.Errorf("the second group is of %q, from %q, with %q", groups[1].Topic(), groups[1].Source(), tag)
	}
}

// TestBadLines end the work; those before are stored.
func TestBadLines(t *testing.T) {
	for bad, want := range map[string]string{
		"[1]": "not a JSON object", "nonsense": "not a JSON object", `{"a":1`: "EOF", `{"a":1} 2`: "behind",
		`{"a":tru}`: "invalid", `{"__time__":"soon"}`: "__time__", `{"__time__":-5}`: "time", `{"":1}`: "a key of 0 bytes",
		`{"__time__":99999999999}`: "time", `{"` + strings.Repeat("k", 129) + `":1}`: "a key of 129 bytes",
		`{"a":"` + strings.Repeat("x", 1<<20-20) + `"}`: "larger than", strings.Repeat("x", 2<<20): "longer than",
	} {
		r := newRig(t, 1, slsserver.Config{})
		if status := r.put(strings.NewReader("{\"a\":\"fine\"}\n\n"+bad+"\n{\"a\":\"late\"}\n"), "-json"); status != exitFailed {
			t.Errorf("%.30q: exit status %d: %s", bad, status, &r.stderr)
		}
		r.says("1 lines in 1 groups")
		r.says("standard input:3: ")
		r.says(want)
		if got := r.values(0, "a"); !slices.Equal(got, []string{"fine"}) {
			t.Errorf("%.30q: stored %q", bad, got)
		}
	}
}

func TestUsage(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int{
		"-nonsense": exitUsage, "-hash some": exitUsage, "-compression gzip": exitUsage, "-signature v2": exitUsage,
		"-signature v4": exitUsage, "-batch-bytes 0": exitUsage, "-batch-bytes 6M": exitUsage, "-batch-bytes x": exitUsage,
		"-batch-lines 0": exitUsage, "-linger -1s": exitUsage, "-rate -1": exitUsage, "-repeat 2": exitUsage, "-retry 0": exitUsage,
		"-repeat -1 " + file: exitUsage, "-logstore /": exitUsage, "-endpoint http://example.org": exitUsage,
		"/does/not/exist": exitUsage, t.TempDir(): exitUsage, "-key " + strings.Repeat("k", 129): exitUsage,
		"-h": exitOK, "-repeat 0 " + file: exitOK, file: exitOK, "-logstore other": exitFailed,
	} {
		if got := r.put(strings.NewReader("a\n"), strings.Fields(args)...); got != want {
			t.Errorf("%s: exit status %d, want %d: %s", args, got, want, &r.stderr)
		}
		if want == exitUsage && r.stderr.Len() == 0 {
			t.Errorf("%s: no word about it", args)
		}
	}
	r.put(nil, "-h")
	if !strings.Contains(r.stdout.String(), "-batch-bytes") {
		t.Errorf("the help is %q", &r.stdout)
	}
}

func TestSigned(t *testing.T) {
	const secret = "very-secret"
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret)
	r := newRig(t, 1, slsserver.Config{Keys: []slsserver.Key{{ID: "id", Secret: heartbeat.NewSecret(secret)}}})
	r.ok(1, "one\n")
	r.ok(1, "two\n", "-signature", "v4", "-region", "cn-hangzhou", "-hash", "line")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "other-secret")
	if status := r.put(strings.NewReader("three\n")); status != exitFailed || strings.Contains(r.stderr.String(), "secret") {
		t.Errorf("exit status %d: %s", status, &r.stderr)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
	if status := r.put(strings.NewReader("four\n")); status != exitUsage {
		t.Errorf("half a key: exit status %d: %s", status, &r.stderr)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret+"\n")
	if status := r.put(strings.NewReader("five\n")); status != exitUsage || strings.Contains(r.stderr.String(), secret) {
		t.Errorf("a key with a line end: exit status %d: %s", status, &r.stderr)
	}
	r.says("the access key secret has a blank, a line end")
}

// TestSignals end the program, whatever it waits for, and it says how far it came.
func TestSignals(t *testing.T) {
	r := newRig(t, 1, slsserver.Config{})
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		signal syscall.Signal
		status int
		flags  []string
	}{
		{syscall.SIGTERM, 143, []string{"-repeat", "0", "-rate", "100", "-linger", "0", file}},
		{syscall.SIGINT, 130, []string{"-linger", "0"}}, // waits for standard input
	} {
		cmd := exec.Command(os.Args[0], r.args(c.flags...)...)
		cmd.Env = append(os.Environ(), "SLSPUT_TEST_RUN=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		before := len(r.values(0, "content"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := stdin.Write([]byte("c\n")); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); len(r.values(0, "content")) == before && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if err := cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.status {
			t.Errorf("%v: exit status %d: %s", c.signal, got, &stderr)
		}
		if !strings.Contains(stderr.String(), " lines in ") || !strings.Contains(stderr.String(), "signal") {
			t.Errorf("%v: it says %q", c.signal, &stderr)
		}
	}
}
