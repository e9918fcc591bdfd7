package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/barnabas-mq/barnabas/internal/config"
)

var rewrite = flag.Bool("rewrite", false, "write what the commands print into testdata")

// result is what a run left behind.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, p Process) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p.Stdout, p.Stderr = &stdout, &stderr
	if p.Stdin == nil {
		p.Stdin = strings.NewReader("")
	}
	code := Run(t.Context(), p)
	return result{code, stdout.String(), stderr.String()}
}

func TestEveryCommandsHelpIsAsReviewed(t *testing.T) {
	a := &app{}
	var help strings.Builder
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		args := strings.Fields(c.CommandPath())[1:]
		r := run(t, Process{Args: append(args, "--help")})
		if r.code != exitOK || r.stderr != "" {
			t.Errorf("%s --help ends with %d: %s", c.CommandPath(), r.code, r.stderr)
		}
		help.WriteString("$ " + c.CommandPath() + " --help\n" + r.stdout + "\n")
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
	const file = "testdata/help.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(help.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reviewed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(reviewed) != help.String() {
		t.Errorf("the help has changed; look at it with go test -rewrite ./internal/cli and git diff\n%s", help.String())
	}
}

func TestEveryCommandThatDoesSomethingShowsExamples(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s shows no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}

func TestMistakesSayWhatToDo(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"topc", `unknown command "topc" for "barnabas"; did you mean topic?`},
		{"topic lst", `unknown command "lst" for "barnabas topic"; did you mean list?`},
		{"topic create", "it does not work with 0 arguments: the usage is 'barnabas topic create TOPIC... [flags]'"},
		{"topic create a --config retention", `--config "retention" does not have the form name=value`},
		{"topic create a --replica-assignment 1:x", `"x" is no broker's number`},
		{"topic create a --partitions many", `invalid argument "many" for "-p, --partitions" flag`},
		{"topic list -o yaml", "-o yaml: it must be table or json"},
		{"topic alter a", "nothing to alter: give --partitions, --set or --unset"},
		{"produce a --acks 2", "--acks 2: it must be all, 1 or 0"},
		{"produce a --compression rar", "--compression rar: it must be none, gzip, snappy, lz4 or zstd"},
		{"produce a --format xml", "--format xml: it must be lines or json"},
		{"produce a -H x", `--headers "x" does not have the form name=value`},
		{"consume a --from nowhere", `"nowhere" is no position; give beginning, end, an offset`},
		{"consume a --format xml", "--format xml: it must be value, key or json"},
		{"consume a --group g --partition 1", "--partition and --group: a group assigns partitions by itself"},
		{"group reset-offsets g", "give either --to or --shift"},
		{"config describe planet", `"planet" has no settings; they belong to topic NAME | broker [ID]`},
		{"config describe topic", "which topic? Give its name"},
		{"config describe broker one", `"one" is no broker's number`},
		{"config alter topic a", "nothing to change: give --set, --unset, --append or --subtract"},
	} {
		r := run(t, Process{Args: strings.Fields(c.args)})
		if r.code != exitUsage || !strings.Contains(r.stderr, c.want) || !strings.Contains(r.stderr, "--help'.") {
			t.Errorf("barnabas %s ends with %d and says\n%s\nnot %s", c.args, r.code, r.stderr, c.want)
		}
		if r.stdout != "" {
			t.Errorf("barnabas %s prints %q beside its error", c.args, r.stdout)
		}
	}
}

func TestNobodyListeningIsToldAtOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	want := "nothing listens at " + address + ". Start a broker with 'barnabas serve', or name another with --bootstrap-server or BARNABAS_BOOTSTRAP_SERVER"
	for _, p := range []Process{
		{Args: []string{"topic", "list", "--bootstrap-server", address}},
		{Args: []string{"consume", "words"}, Environ: []string{"BARNABAS_BOOTSTRAP_SERVER=" + address}},
		{Args: []string{"produce", "words"}, Environ: []string{"BARNABAS_BOOTSTRAP_SERVER=" + address}},
	} {
		if r := run(t, p); r.code != exitFailed || !strings.Contains(r.stderr, want) {
			t.Errorf("%v ends with %d and says %s", p.Args, r.code, r.stderr)
		}
	}
}

func TestServeHandsOverWhatWasConfigured(t *testing.T) {
	var got *config.Values
	serve := func(_ context.Context, b Broker) error {
		got = b.Values
		b.Logger.Info("not at this level")
		b.Ready(Started{ClusterID: "abc", NodeID: 1, Addresses: []string{"127.0.0.1:40001"}, Admin: "127.0.0.1:9644"})
		return nil
	}
	r := run(t, Process{
		Args:    []string{"serve", "--set", "num.partitions=3", "--set", "log.dirs=/data", "--set", "transaction.max.timeout.ms=5", "--log-level", "warn"},
		Environ: []string{"BARNABAS_NUM_PARTITIONS=2", "BARNABAS_LOG_RETENTION_HOURS=5"}, Serve: serve,
	})
	if r.code != exitOK {
		t.Fatal(r.stderr)
	}
	if config.NumPartitions.Of(got) != 3 || config.TopicRetentionMs.Of(got) != 5*3600*1000 {
		t.Errorf("num.partitions=%d retention.ms=%d", config.NumPartitions.Of(got), config.TopicRetentionMs.Of(got))
	}
	for _, want := range []string{"node 1 of cluster abc", "clients connect to  127.0.0.1:40001\n", "data is kept in     /data", "http://127.0.0.1:9644/metrics"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, "transaction.max.timeout.ms has no effect: transactions are not served yet") || strings.Contains(r.stderr, "not at this level") {
		t.Errorf("it logs\n%s", r.stderr)
	}
}

func TestClientsAreToldWhatTheyCanReach(t *testing.T) {
	for _, c := range []struct{ listeners, advertised, bound, want string }{
		{"PLAINTEXT://127.0.0.1:9092", "", "127.0.0.1:9092", "127.0.0.1:9092"},
		{"PLAINTEXT://:9092", "", "[::]:9092", "port 9092 of any address of this machine, and are told the address they used; behind a port mapping, set advertised.listeners"},
		{"PLAINTEXT://:9092", "PLAINTEXT://mq.example.org:19092", "[::]:9092", "mq.example.org:19092 (advertised.listeners; it listens at [::]:9092)"},
	} {
		settings := map[string]string{"listeners": c.listeners}
		if c.advertised != "" {
			settings["advertised.listeners"] = c.advertised
		}
		values, _, err := config.LoadBroker(config.FromMap("test", settings))
		if err != nil {
			t.Fatal(err)
		}
		if told := toldAddresses(values, []string{c.bound}); len(told) != 1 || told[0] != c.want {
			t.Errorf("with %v they are told %q", settings, told)
		}
	}
}

func TestServeRefusesWhatItCannotDo(t *testing.T) {
	never := func(context.Context, Broker) error { return errors.New("it started") }
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"serve", "/nowhere.properties"}, "/nowhere.properties does not exist; 'barnabas serve' without a file needs none", exitFailed},
		{[]string{"serve", "--set", "x"}, `--set "x" does not have the form name=value`, exitUsage},
		{[]string{"serve", "--set", "log.retention.hour=1", "--set", "num.partitions=0"}, "did you mean log.retention.hours?", exitFailed},
		{[]string{"serve", "--log-level", "loud"}, "Invalid value loud for configuration barnabas.log.level: String must be one of: debug, info, warn, error", exitFailed},
	} {
		if r := run(t, Process{Args: c.args, Serve: never}); r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%v ends with %d and says %s", c.args, r.code, r.stderr)
		}
	}
}

func TestConfigDocsExplainsSettings(t *testing.T) {
	r := run(t, Process{Args: []string{"config", "docs", "log.retention.hours"}})
	if !strings.Contains(r.stdout, "log.retention.hours (broker, int, default 168, read-only)") {
		t.Errorf("it says %s", r.stdout)
	}
	if r := run(t, Process{Args: []string{"config", "docs", "log.retention.huors"}}); !strings.Contains(r.stderr, "did you mean log.retention.hours?") {
		t.Errorf("it says %s", r.stderr)
	}
	if r := run(t, Process{Args: []string{"config", "docs", "--markdown"}}); r.stdout != config.Documentation() {
		t.Error("--markdown is not the page of the documentation")
	}
}
