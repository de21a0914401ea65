// Exported counts the exported names of the module and its nested modules: top-level names,
// and the methods of exported types. It leaves out tests, programs, examples and internal
// packages. It prints one line a package and the sum, and fails if the sum is above the limit:
//
//	go run ./.ci/exported 600
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	limit, err := strconv.Atoi(strings.Join(os.Args[1:], " "))
	if err != nil {
		log.Fatal("usage: go run ./.ci/exported LIMIT")
	}
	counts, err := count(".")
	if err != nil {
		log.Fatal(err)
	}
	sum := 0
	byCount := func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) }
	for _, dir := range slices.SortedFunc(maps.Keys(counts), byCount) {
		fmt.Printf("%4d %s\n", counts[dir], dir)
		sum += counts[dir]
	}
	fmt.Printf("%4d exported names, at most %d\n", sum, limit)
	if sum > limit {
		log.Fatal("too many exported names: make those private that no other package and no user calls")
	}
}

// count returns the number of exported names of each folder below root that has any.
func count(root string) (map[string]int, error) {
	counts := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if hidden := path != root && strings.HasPrefix(d.Name(), "."); hidden || d.Name() == "internal" || path == "examples" {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if n := names(file); n > 0 && file.Name.Name != "main" {
			counts[filepath.ToSlash(filepath.Dir(path))] += n
		}
		return nil
	})
	return counts, err
}

// names counts the exported names of one file.
func names(file *ast.File) (n int) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
				n++
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						n++
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
