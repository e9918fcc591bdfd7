package tidy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// layers is the import table: a package may import those of ours that its row names. Rows stand from the words that
// everybody uses and that use nobody, to the assembler that knows everybody. A new arrow changes this table, and its
// review starts here.
var layers = map[string]string{
	"config":     "",
	"vfs":        "",
	"complaints": "",

	"wire":  "",
	"batch": "",

	"client":  "wire",
	"peer":    "members",
	"members": "",

	"storage": "vfs batch",
	"meta":    "",
	"machine": "",

	"metalog":    "vfs batch storage meta machine",
	"quorum":     "vfs",
	"logdir":     "vfs batch storage",
	"controller": "config meta",
	"replica":    "vfs batch storage meta logdir",
	"group":      "machine",

	"fetcher":     "wire client replica",
	"coordinator": "complaints batch machine group",
	"api":         "config complaints wire peer batch storage meta logdir replica coordinator group",
	"server":      "config complaints wire api",
	"admin":       "logdir replica coordinator server",

	"rebalance": "",

	"node": "*",
	"cli":  "config vfs batch storage rebalance node",
	"sim":  "", // its tests know everything that is pure
	"tidy": "",
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	var broken []string
	for _, s := range sources(t) {
		from, ok := strings.CutPrefix(s.pkg, "internal/")
		if !ok || s.test {
			continue
		}
		name, _, _ := strings.Cut(from, "/")
		row, known := layers[name]
		if !known {
			broken = append(broken, fmt.Sprintf("%s: package %s has no row in the table", s.path, name))
			continue
		}
		for _, path := range s.imports() {
			to := strings.TrimPrefix(path, "internal/")
			to, _, _ = strings.Cut(to, "/")
			if to != name && row != "*" && !slices.Contains(strings.Fields(row), to) {
				broken = append(broken, fmt.Sprintf("%s: %s must not import %s", s.path, name, to))
			}
		}
	}
	report(t, broken)
}

// pure packages decide; they wait for nothing and touch nothing, so that they run in a simulation as they do in life.
var pure = []string{"meta", "members", "controller", "group", "rebalance"}

var impure = []string{"os", "net", "sync", "time.Now", "math/rand", "crypto/rand", "log/slog"}

func TestPurePackagesNeitherWaitNorTouchAnything(t *testing.T) {
	var broken []string
	for _, s := range sources(t) {
		name := strings.TrimPrefix(s.pkg, "internal/")
		if s.test || !slices.Contains(pure, name) {
			continue
		}
		for _, spec := range s.file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if slices.Contains(impure, path) || strings.HasPrefix(path, "net/") {
				broken = append(broken, fmt.Sprintf("%s: pure package imports %s", s.path, path))
			}
		}
		for _, call := range []string{"time.Now(", "time." + "Sleep(", "time.After(", "time.Since("} {
			if strings.Contains(s.text, call) {
				broken = append(broken, fmt.Sprintf("%s: pure package calls %s)", s.path, call))
			}
		}
		if strings.Contains(s.text, "\tgo func") || strings.Contains(s.text, "make(chan ") {
			broken = append(broken, fmt.Sprintf("%s: pure package starts goroutines or makes channels", s.path))
		}
	}
	report(t, broken)
}

func report(t *testing.T, broken []string) {
	t.Helper()
	slices.Sort(broken)
	for _, line := range slices.Compact(broken) {
		t.Error(line)
	}
}
