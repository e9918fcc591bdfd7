// Package cli is the command line of Barnabas: one file a command. Commands speak to a broker as any
// client does, through the Kafka protocol; only serve runs one, and how it does so is handed in. The
// package must not know the insides of a broker, apart from the formats that log dump reads.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/barnabas-mq/barnabas/internal/config"
)

// Broker is what serve runs.
type Broker struct {
	Values  *config.Values
	Logger  *slog.Logger
	Level   *slog.LevelVar // of Logger; it may be changed while the broker runs
	Version string
	// Ready is called once, when the broker answers clients.
	Ready func(Started)
}

// Started is what serve tells about a broker that answers clients.
type Started struct {
	ClusterID string
	NodeID    int32
	Addresses []string // where it listens for clients, in the order of the listeners
	Admin     string   // where metrics and health are served; empty: nowhere
}

// Serve runs a broker until the context ends or the broker cannot go on.
type Serve func(ctx context.Context, b Broker) error

// Process is the process that the command line runs in.
type Process struct {
	Args        []string // without the program's name
	Environ     []string
	Stdin       io.Reader
	Stdout      io.Writer
	Stderr      io.Writer
	Interactive bool // somebody watches Stderr: long work shows its progress there
	Piped       bool // Stdout is not watched: long work that prints shows its progress too
	Serve       Serve
}

// Main runs the command line of this process and returns its exit code. Interrupt and SIGTERM
// end a command gracefully, a second one at once.
func Main(serve Serve) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, Process{
		Args: os.Args[1:], Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Interactive: isTerminal(os.Stderr), Piped: !isTerminal(os.Stdout), Serve: serve,
	})
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in the arguments, which the command's help explains.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs one command and returns the exit code.
func Run(ctx context.Context, p Process) int {
	a := &app{Process: p}
	root := a.root()
	root.SetArgs(p.Args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil || errors.Is(err, errInterrupted) {
		return exitOK
	}
	fmt.Fprintln(p.Stderr, "barnabas:", a.explain(err))
	if _, is := errors.AsType[usageError](err); is {
		fmt.Fprintf(p.Stderr, "See '%s --help'.\n", command.CommandPath())
		return exitUsage
	}
	return exitFailed
}

// errInterrupted ends a command that was asked to stop, as it should.
var errInterrupted = errors.New("interrupted")

// app is one run of the command line.
type app struct {
	Process
	bootstrap []string
	format    string
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "barnabas",
		Short: "A message broker for Kafka's clients",
		Long: `Barnabas is a message broker that speaks Kafka's protocol: any Kafka client works with it.

All commands but serve and log talk to a broker at --bootstrap-server.`,
		Example: `  barnabas serve                          # start a broker, with nothing to set up
  barnabas topic create words             # make a topic
  barnabas produce words < words.txt      # put each line into it as a record
  barnabas consume words --from beginning --exit-at-end`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringSliceVarP(&a.bootstrap, "bootstrap-server", "b", []string{a.defaultBootstrap()}, "`host:port` of a broker; default from "+config.EnvBootstrapServer)
	flags.StringVarP(&a.format, "output", "o", "table", "how to print, `format` table or json")
	root.AddCommand(a.serveCommand(), a.topicCommand(), a.produceCommand(), a.consumeCommand(), a.groupCommand(),
		a.configCommand(), a.clusterCommand(), a.logCommand(), a.versionCommand())
	a.prepare(root)
	return root
}

// prepare makes all commands behave alike: mistakes in arguments are usage errors, the output
// format is checked, and a command that only groups others says so when it is called alone.
func (a *app) prepare(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err != nil && !strings.HasPrefix(err.Error(), "unknown command") {
				err = fmt.Errorf("it does not work with %s: the usage is '%s'", plural(int64(len(args)), "argument"), c.UseLine())
			}
			if err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if a.format != "table" && a.format != "json" {
				return usage("-o %s: it must be table or json", a.format)
			}
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		a.prepare(sub)
	}
}

func (a *app) defaultBootstrap() string {
	for _, entry := range a.Environ {
		if value, found := strings.CutPrefix(entry, config.EnvBootstrapServer+"="); found && value != "" {
			return value
		}
	}
	return "127.0.0.1:9092"
}

// parent makes a command that only groups others.
func parent(name, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: short,
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}

// noSuchCommand is the check of commands that only group others.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), didYouMean(c, args[0]))
	}
	return nil
}

func didYouMean(c *cobra.Command, name string) string {
	c.SuggestionsMinimumDistance = 2
	if similar := c.SuggestionsFor(name); len(similar) > 0 {
		return "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return ""
}
