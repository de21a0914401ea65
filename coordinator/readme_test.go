package coordinator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every Go snippet of the README is the text of an example, of this package or of a
// module of its own, which the compiler and the test runner see.
func TestReadmeSnippetsAreExamples(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../heartbeat/replicated/natskv/example_test.go")
	var examples strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		// An example's output comment is the one thing that a program has not.
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "// Output:") {
				examples.WriteString(line)
			}
		}
	}
	snippets := 0
	for i, part := range strings.Split(string(readme), "```") {
		code, isGo := strings.CutPrefix(part, "go\n")
		if i%2 == 0 || !isGo {
			continue
		}
		snippets++
		code = strings.Replace(code, "func main()", "func Example()", 1)
		if !strings.Contains(examples.String(), code) {
			t.Errorf("this snippet of the README is in no example:\n%s", code)
		}
	}
	if snippets < 2 {
		t.Errorf("the README has %d Go snippets, want at least 2", snippets)
	}
}
