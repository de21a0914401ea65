package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the program when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("SLSSERVER_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the server in a process of its own.
type program struct {
	cmd  *exec.Cmd
	addr string
	out  *bytes.Buffer
	done chan error
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(os.Args[0], args...), out: &bytes.Buffer{}, done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), "SLSSERVER_TEST_RUN=1", envID+"=env-id", envSecret+"=env-secret", envToken+"=")
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	r := bufio.NewReader(stdout)
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("no first line: %v", err)
	}
	p.addr = strings.TrimSpace(first[strings.LastIndex(first, " ")+1:])
	go func() { // ends when the program has closed its output
		_, _ = io.Copy(p.out, r)
		p.done <- p.cmd.Wait()
	}()
	return p
}

func (p *program) end(t *testing.T, sig os.Signal) error {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
		return nil
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestProgram(t *testing.T) {
	p := start(t, "-listen", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-project", "p1", "-logstore", "a:3", "-logstore", "b",
		"-log-level", "warn")
	base := "http://" + p.addr + "/p1/logstores/a"
	if status, body := get(t, base+"/shards"); status != 200 || strings.Count(body, "readwrite") != 3 {
		t.Errorf("shards: %d %s", status, body)
	}
	if status, body := post(t, base+"/consumergroups", `{"consumerGroup":"g","timeout":5,"order":false}`); status != 200 {
		t.Errorf("create: %d %s", status, body)
	}
	if status, body := get(t, base+"/consumergroups"); status != 200 || !strings.Contains(body, `"name":"g"`) {
		t.Errorf("groups: %d %s", status, body)
	}
	if err := p.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	for _, want := range []string{"project    p1", "a, 3 shards", "Go SDK", "http://" + p.addr + "/p1", "admin", "not verified"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("the introduction lacks %q:\n%s", want, p.out)
		}
	}
}

func TestKeyOfEnvironment(t *testing.T) {
	p := start(t, "-listen", "127.0.0.1:0", "-key", "env")
	if status, body := get(t, "http://"+p.addr+"/demo/logstores/app/shards"); status != 401 {
		t.Errorf("unsigned: %d %s", status, body)
	}
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	if out := p.out.String(); !strings.Contains(out, `key "env-id"`) || strings.Contains(out, "env-secret") {
		t.Errorf("the introduction is\n%s", out)
	}
}

func TestWrongFlags(t *testing.T) {
	none := func(string) string { return "" }
	for _, c := range []struct {
		args string
		want int
	}{
		{"-nonsense", 2}, {"rest", 2}, {"-logstore a:x", 2}, {"-logstore a:0", 2}, {"-key onlyid", 2}, {"-key env", 2},
		{"-help", 0}, {"-listen 0.0.0.0:0", 1}, {"-project .. -listen 127.0.0.1:0", 1}, {"-listen 127.0.0.1:0 -admin 0.0.0.0:0", 1},
	} {
		var stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if got := run(ctx, strings.Fields(c.args), none, io.Discard, &stderr); got != c.want {
			t.Errorf("%s: exit status %d, want %d: %s", c.args, got, c.want, &stderr)
		}
		cancel()
	}
}
