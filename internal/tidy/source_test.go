package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/barnabas-mq/barnabas/"
	root   = "../.."
)

// source is one Go file of the project.
type source struct {
	path      string // from the root, with slashes
	pkg       string // its folder, e.g. internal/storage
	test      bool
	generated bool
	text      string
	file      *ast.File
	set       *token.FileSet
}

// sources are all Go files of the project, parsed once for all rules.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file was found: the rules were not checked")
	}
	return all
}

var parsed = sync.OnceValues(parseAll)

func parseAll() ([]source, error) {
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && len(name) > 2) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		all = append(all, source{
			path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(name, "_test.go"),
			generated: ast.IsGenerated(file), text: string(text), file: file, set: set,
		})
		return nil
	})
	return all, err
}

// imports are the project's own packages that a file imports, without the module's name.
func (s source) imports() []string {
	var own []string
	for _, spec := range s.file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if rest, ok := strings.CutPrefix(path, module); ok {
			own = append(own, rest)
		}
	}
	return own
}
