package tidy

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

const (
	mostFileLines     = 800
	mostFunctionLines = 80
)

func TestFilesFitASittingAndFunctionsAScreen(t *testing.T) {
	var broken []string
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if n := strings.Count(s.text, "\n"); n > mostFileLines {
			broken = append(broken, fmt.Sprintf("%s has %d lines, more than %d", s.path, n, mostFileLines))
		}
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || isTable(f) {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line; n > mostFunctionLines {
				broken = append(broken, fmt.Sprintf("%s: %s has %d lines, more than %d", s.path, f.Name.Name, n, mostFunctionLines))
			}
		}
	}
	report(t, broken)
}

// isTable says whether a function is data: one return of a literal, however many rows that has.
func isTable(f *ast.FuncDecl) bool {
	if f.Body == nil || len(f.Body.List) != 1 {
		return false
	}
	ret, ok := f.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	_, ok = ret.Results[0].(*ast.CompositeLit)
	return ok
}

func TestNothingIsLeftForLater(t *testing.T) {
	words := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX"}
	var broken []string
	for _, s := range sources(t) {
		for i, line := range strings.Split(s.text, "\n") {
			for _, w := range words {
				if strings.Contains(line, w) && strings.Contains(line, "//") {
					broken = append(broken, fmt.Sprintf("%s:%d says %s", s.path, i+1, w))
				}
			}
		}
	}
	report(t, broken)
}

func TestTestsWaitForConditionsNotForTime(t *testing.T) {
	var broken []string
	for _, s := range sources(t) {
		if s.test && strings.Contains(s.text, "time."+"Sleep(") && !strings.Contains(s.text, "testing/synctest") {
			broken = append(broken, fmt.Sprintf("%s sleeps", s.path))
		}
	}
	report(t, broken)
}

func TestPackagesHaveNeitherInitFunctionsNorVagueNames(t *testing.T) {
	var broken []string
	for _, s := range sources(t) {
		for _, vague := range []string{"util", "utils", "common", "helpers", "types", "base"} {
			if s.file.Name.Name == vague {
				broken = append(broken, fmt.Sprintf("%s: package %s says nothing", s.path, vague))
			}
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				broken = append(broken, fmt.Sprintf("%s has an init function", s.path))
			}
		}
	}
	report(t, broken)
}
