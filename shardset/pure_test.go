package shardset

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The state machines decide everything without waiting. That stays true because
// this test fails on whatever could wait, share, or ask a clock.
func TestSourcesArePure(t *testing.T) {
	for _, dir := range []string{".", "group", "../heartbeat/replicated/internal/state", "../heartbeat/replicated/internal/schedule"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			checked++
			for _, fault := range impurities(t, name, nil) {
				t.Error(fault)
			}
		}
		if checked == 0 {
			t.Errorf("no sources in %s", dir)
		}
	}
}

var (
	// By first path element: what waits, shares memory, does I/O or rolls dice.
	impureImports = []string{"sync", "os", "io", "net", "context", "runtime", "syscall", "unsafe", "log", "C"}
	// A *rand.Rand would be an argument, but so far nothing needs chance at all.
	impureExact = []string{"math/rand", "math/rand/v2", "crypto/rand"}
	clockNames  = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	// Seconds since 1970 have no monotonic reading.
	unixNames = []string{"Unix", "UnixMilli", "UnixMicro", "UnixNano"}
)

// impurities parses one file, from src when that is not nil, and lists what a pure
// package must not have.
func impurities(t *testing.T, name string, src any) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	fault := func(n ast.Node, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), fmt.Sprintf(format, args...)))
	}
	clock := "time" // what this file calls package time
	for _, imp := range file.Imports {
		path, _ := strconv.Unquote(imp.Path.Value)
		first, _, _ := strings.Cut(path, "/")
		if slices.Contains(impureImports, first) || slices.Contains(impureExact, path) {
			fault(imp, "imports %s", path)
		}
		if path == "time" && imp.Name != nil {
			clock = imp.Name.Name
			if clock == "." {
				fault(imp, "imports time into its own scope")
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			fault(n, "starts a goroutine")
		case *ast.SelectStmt:
			fault(n, "selects")
		case *ast.ChanType:
			fault(n, "has a channel type")
		case *ast.SendStmt:
			fault(n, "sends on a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				fault(n, "receives from a channel")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && x.Name == clock && slices.Contains(clockNames, n.Sel.Name) {
				fault(n, "asks the clock: time.%s", n.Sel.Name)
			}
			if slices.Contains(unixNames, n.Sel.Name) {
				fault(n, "drops the monotonic reading: %s", n.Sel.Name)
			}
		}
		return true
	})
	return faults
}

// The checker has to find each kind of fault, or its silence means nothing.
func TestImpuritiesAreFound(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"func f() { go f() }", "starts a goroutine"},
		{"func f() { select {} }", "selects"},
		{"type c chan int", "has a channel type"},
		{"func f() { x = make(<-chan bool) }", "has a channel type"},
		{"func f() { x <- 1 }", "sends on a channel"},
		{"func f() { y := <-x; _ = y }", "receives from a channel"},
		{"func f() { for range <-x {} }", "receives from a channel"},
		{`import "sync"`, "imports sync"},
		{`import "sync/atomic"`, "imports sync/atomic"},
		{`import "os"`, "imports os"},
		{`import "os/signal"`, "imports os/signal"},
		{`import "net"`, "imports net"},
		{`import "net/http"`, "imports net/http"},
		{`import "math/rand"`, "imports math/rand"},
		{`import r "math/rand/v2"`, "imports math/rand/v2"},
		{`import "context"`, "imports context"},
		{`import . "time"`, "imports time into its own scope"},
		{"import \"time\"\nvar t = time.Now()", "asks the clock: time.Now"},
		{"import \"time\"\nvar f = time.Now", "asks the clock: time.Now"},
		{"import tm \"time\"\nvar t = tm.Now()", "asks the clock: time.Now"},
		{"import \"time\"\nvar d = time.Since(t)", "asks the clock: time.Since"},
		{"import \"time\"\nvar d = time.Until(t)", "asks the clock: time.Until"},
		{"import \"time\"\nvar c = time.After(1)", "asks the clock: time.After"},
		{"import \"time\"\nvar c = time.AfterFunc(1, f)", "asks the clock: time.AfterFunc"},
		{"import \"time\"\nvar c = time.NewTimer(1)", "asks the clock: time.NewTimer"},
		{"import \"time\"\nvar c = time.NewTicker(1)", "asks the clock: time.NewTicker"},
		{"import \"time\"\nvar c = time.Tick(1)", "asks the clock: time.Tick"},
		{"import \"time\"\nfunc f() { time.Sleep(1) }", "asks the clock: time.Sleep"},
		{"func f() bool { return now.Unix() > 5 }", "drops the monotonic reading: Unix"},
		{"func f() bool { return now.UnixMilli() > 5 }", "drops the monotonic reading: UnixMilli"},
		{"func f() bool { return now.UnixMicro() > 5 }", "drops the monotonic reading: UnixMicro"},
		{"func f() bool { return now.UnixNano() > 5 }", "drops the monotonic reading: UnixNano"},
	} {
		faults := impurities(t, "bad.go", "package bad\n"+c.body)
		if !slices.ContainsFunc(faults, func(s string) bool { return strings.HasSuffix(s, ": "+c.want) }) {
			t.Errorf("in %q the checker found %q, want %q", c.body, faults, c.want)
		}
	}
	// A time's own methods share names with the package's functions.
	good := "package good\nimport \"time\"\nfunc f(a, b time.Time) bool { return a.After(b) && b.Before(a.Add(time.Second)) }"
	if faults := impurities(t, "good.go", good); faults != nil {
		t.Errorf("in a pure source the checker found %q", faults)
	}
}
