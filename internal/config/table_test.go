package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// fact is a line of testdata/kafka-4.4-keys.txt.
type fact struct {
	scope                                                    Scope
	name, kind, value, allowed, importance, internal, update string
	dynamicOnly                                              bool
}

func kafkaFacts(t *testing.T) []fact {
	t.Helper()
	scopes := map[string]Scope{"broker": Broker, "dynbroker": Broker, "topic": Topic, "group": Group, "client-metrics": ClientMetrics}
	var facts []fact
	seen := map[string]bool{}
	for _, f := range tabbed(t, "testdata/kafka-4.4-keys.txt") {
		if f[0] == "dynbroker" && seen[f[1]] {
			continue // listed as a static setting already
		}
		seen[f[1]] = f[0] == "broker" || seen[f[1]]
		facts = append(facts, fact{scopes[f[0]], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[0] == "dynbroker"})
	}
	return facts
}

// tabbed reads a file of fields between tabs, without its comments.
func tabbed(t *testing.T, file string) [][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.Split(line, "\t"))
		}
	}
	return lines
}

// differing are the settings whose defaults are ours, and why is in docs/configuration.md.
func differing(name string) bool {
	switch name {
	case "broker.heartbeat.interval.ms", "broker.session.timeout.ms", "controller.quorum.election.timeout.ms",
		"log.dir", "node.id", "process.roles", "controller.listener.names":
		return true
	}
	return false
}

func TestEverySettingOfKafkaIsARowWithKafkasFacts(t *testing.T) {
	for _, f := range kafkaFacts(t) {
		row, found := Lookup(f.scope, f.name)
		if !found {
			t.Errorf("%s setting %s has no row", f.scope, f.name)
			continue
		}
		value := row.Default
		if row.Null {
			value = "null"
		}
		if differing(f.name) {
			if row.Kafka == "" || value == f.value {
				t.Errorf("%s: a differing default must name Kafka's", f.name)
			}
		} else if value != f.value || row.Kafka != "" {
			t.Errorf("%s defaults to %q, in Kafka to %q", f.name, value, f.value)
		}
		if row.Type.String() != f.kind || strings.ToUpper(row.Importance.String()) != f.importance || row.Internal != (f.internal == "internal") {
			t.Errorf("%s is %s, %s, internal %v; in Kafka %s, %s, %q", f.name, row.Type, row.Importance, row.Internal, f.kind, f.importance, f.internal)
		}
		if f.scope == Broker && (row.Update.String() != f.update || row.Dynamic != f.dynamicOnly) {
			t.Errorf("%s is updated %s, in Kafka %s", f.name, row.Update, f.update)
		}
	}
}

func TestChecksAllowWhatKafkasDo(t *testing.T) {
	// Described in other words, or by Kafka in an order that changes from run to run.
	other := []string{"non-null string", "non-empty list", "(case insensitive)"}
	for _, f := range kafkaFacts(t) {
		row, found := Lookup(f.scope, f.name)
		if !found || row.Check.Allowed == f.allowed {
			continue
		}
		excused := false
		for _, text := range other {
			excused = excused || strings.HasPrefix(f.allowed, text)
		}
		if !excused {
			t.Errorf("%s allows %q, in Kafka %q", f.name, row.Check.Allowed, f.allowed)
		}
	}
}

func TestEveryOtherRowIsOurOwn(t *testing.T) {
	kafkas := map[string]bool{}
	for _, f := range kafkaFacts(t) {
		kafkas[f.scope.String()+f.name] = true
	}
	for scope := range scopeCount {
		for _, row := range Rows(scope) {
			if !kafkas[scope.String()+row.Name] && !strings.HasPrefix(row.Name, "barnabas.") {
				t.Errorf("%s setting %s is neither Kafka's nor called barnabas.…", scope, row.Name)
			}
		}
	}
}

func TestEveryRowIsDocumentedAndItsDefaultIsAllowed(t *testing.T) {
	for scope := range scopeCount {
		for _, row := range Rows(scope) {
			if len(row.Doc) < 15 || !strings.HasSuffix(row.Doc, ".") && !strings.HasSuffix(row.Doc, "…") {
				t.Errorf("%s: %q is no sentence", row.Name, row.Doc)
			}
			if (row.Status == ActedOn) != (row.Why == "") {
				t.Errorf("%s is %s, and the reason is %q", row.Name, row.Status, row.Why)
			}
			if row.Null || row.Name == "controller.quorum.voters" {
				continue
			}
			if _, err := row.parse(row.Default); err != nil {
				t.Errorf("the default of %s is refused: %v", row.Name, err)
			}
		}
	}
}

// A setting that claims to be acted on can be read by those who act, directly or as the default
// of a topic's; one that does not has no handle.
func TestExactlyTheSettingsActedOnHaveHandles(t *testing.T) {
	handles := handleNames(t)
	for _, row := range Rows(Topic) {
		for _, synonym := range row.Synonyms {
			if row.Status == ActedOn {
				handles[Broker.String()+synonym.Name] = true
			}
		}
	}
	for scope := range scopeCount {
		for _, row := range Rows(scope) {
			if has := handles[scope.String()+row.Name]; has != (row.Status == ActedOn) {
				t.Errorf("%s setting %s is %s, and has a handle: %v", scope, row.Name, row.Status, has)
			}
		}
	}
}

func handleNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range []string{"keys.go", "keys_topic.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, isCall := n.(*ast.CallExpr)
			if !isCall {
				return true
			}
			name, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			names[call.Fun.(*ast.IndexExpr).X.(*ast.Ident).Name+name] = true
			return true
		})
	}
	return names
}

func TestEveryHandleIsReadBySomebody(t *testing.T) {
	var sources strings.Builder
	for _, root := range []string{"..", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "../config" {
				return err
			}
			text, err := os.ReadFile(path)
			sources.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"keys.go", "keys_topic.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is {
				return true
			}
			name := spec.Names[0].Name
			if read := regexp.MustCompile(`config\.` + name + `\b`); ast.IsExported(name) && !read.MatchString(sources.String()) {
				t.Errorf("nobody reads config.%s: its setting is not acted on", name)
			}
			return false
		})
	}
}

func TestDocumentationIsFresh(t *testing.T) {
	committed, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != Documentation() {
		t.Error("docs/configuration.md is stale: run go generate ./internal/config")
	}
}
