//go:build linux

package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// server is a PostgreSQL of the test's own, to do harm to. Its methods are for the
// goroutine of the test.
type server struct {
	testing.TB
	dir  string
	bin  string // where the programs are
	port int
	attr *syscall.SysProcAttr // which user it runs as
	main *exec.Cmd            // nil: it does not run
	// flush is how much longer its disk takes for each flush; zero means that the server
	// does not wait for the disk.
	flush time.Duration
}

// binaries returns the directory of the server's programs, or an empty string.
func binaries() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// newServer starts a server, and stops it when the test ends.
func newServer(t testing.TB) *server {
	bin := binaries()
	if bin == "" {
		t.Skip("there is no initdb in PATH or in /usr/lib/postgresql; install Debian's postgresql, or run .ci/postgres as root")
	}
	dir, err := os.MkdirTemp("", "rollcall-faults-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	s := &server{TB: t, dir: dir, bin: bin, port: l.Addr().(*net.TCPAddr).Port}
	s.beSomebody()
	t.Cleanup(func() {
		s.kill()
		_ = os.RemoveAll(dir)
	})
	out, err := s.command("initdb", "-D", s.data(), "-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	_ = l.Close()
	s.start()
	s.admin("CREATE ROLE rollcall LOGIN NOSUPERUSER")
	s.admin("CREATE DATABASE rollcall OWNER rollcall")
	return s
}

// beSomebody chooses the user of the server, which refuses to run as root.
func (s *server) beSomebody() {
	if os.Geteuid() != 0 {
		return
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		s.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(s.dir, uid, gid); err != nil {
		s.Fatal(err)
	}
	s.attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *server) url(role, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", role, s.addr(), database)
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir, c.SysProcAttr = s.dir, s.attr
	return c
}

// start starts the server and waits until it takes connections.
func (s *server) start() {
	s.Helper()
	s.main = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1")
	if s.flush > 0 {
		s.main = s.slower(s.main)
	} else {
		// What was committed is with the operating system then, which survives all that
		// these tests do; a restart would wait for the disk.
		s.main.Args = append(s.main.Args, "-c", "fsync=off")
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.main.Stdout, s.main.Stderr = log, log
	if err := s.main.Start(); err != nil {
		s.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), s.url("admin", "postgres"))
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			s.Fatalf("the server does not start: %v\n%s", err, text)
		}
	}
}

// slower returns a command whose flushes take longer, those of its children too. The
// tracer stops them at no other call, and is no parent of the command's process.
func (s *server) slower(c *exec.Cmd) *exec.Cmd {
	const calls = "fsync,fdatasync"
	d := exec.Command("strace", append([]string{
		"-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", "inject=" + calls + ":delay_enter=" + strconv.FormatInt(s.flush.Microseconds(), 10), c.Path,
	}, c.Args[1:]...)...)
	d.Dir, d.SysProcAttr = c.Dir, c.SysProcAttr
	return d
}

// processes returns the processes of the server, the main one first.
func (s *server) processes() []int {
	pids := []int{s.main.Process.Pid}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pids[0]))
	for _, f := range strings.Fields(string(text)) {
		pid, _ := strconv.Atoi(f)
		pids = append(pids, pid)
	}
	return pids
}

// signal sends a signal to all processes of the server.
func (s *server) signal(sig syscall.Signal) (pids []int) {
	// The main one first, so that it makes no more of them.
	_ = syscall.Kill(s.main.Process.Pid, syscall.SIGSTOP)
	pids = s.processes()
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may have ended by itself
	}
	return pids
}

// kill kills all processes at once, as a failure of the machine does.
func (s *server) kill() {
	if s.main == nil {
		return
	}
	pids := s.signal(syscall.SIGKILL)
	_ = s.main.Wait()
	s.main = nil
	for _, pid := range pids {
		for range 500 {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil || strings.Contains(string(state), ") Z ") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (s *server) freeze() { s.signal(syscall.SIGSTOP) }

func (s *server) thaw() { s.signal(syscall.SIGCONT) }

// abort shuts the server down at once, without a checkpoint.
func (s *server) abort() {
	_ = s.main.Process.Signal(syscall.SIGQUIT)
	_ = s.main.Wait()
	s.main = nil
}

// slowDown restarts the server with a disk that takes longer for each flush.
func (s *server) slowDown(flush time.Duration) {
	s.Helper()
	_ = s.main.Process.Signal(syscall.SIGINT) // a restart after a crash would flush every file
	_ = s.main.Wait()
	s.flush = flush
	s.start()
}

// backUp keeps a copy of all that the server has, for fallBack. The server is away for a
// moment.
func (s *server) backUp() {
	s.Helper()
	s.abort()
	s.copy(s.data(), s.data()+".old")
	s.start()
}

// fallBack takes the server back to its copy, as a failover does to a replica that has
// not received the last writes.
func (s *server) fallBack() {
	s.Helper()
	s.kill()
	if err := os.RemoveAll(s.data()); err != nil {
		s.Fatal(err)
	}
	s.copy(s.data()+".old", s.data())
	s.start()
}

func (s *server) copy(from, to string) {
	s.Helper()
	c := exec.Command("cp", "-a", from, to)
	c.SysProcAttr = s.attr
	if out, err := c.CombinedOutput(); err != nil {
		s.Fatalf("cp: %v\n%s", err, out)
	}
}

// admin executes a statement as the superuser, in the database of the tests where it is
// there.
func (s *server) admin(sql string) {
	s.Helper()
	database := "rollcall"
	if strings.HasPrefix(sql, "CREATE ROLE") || strings.HasPrefix(sql, "CREATE DATABASE") {
		database = "postgres"
	}
	conn, err := pgx.Connect(context.Background(), s.url("admin", database))
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		s.Fatal(err)
	}
}

// pool opens a pool of an ordinary role.
func (s *server) pool(role string, conns int32) *pgxpool.Pool {
	s.Helper()
	p, err := open(s.url(role, "rollcall"), conns)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(p.Close)
	return p
}
