package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/barnabas-mq/barnabas/internal/config"
)

type serveFlags struct {
	set       []string
	logLevel  string
	logFormat string
	nodes     int
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve [server.properties]",
		Short: "Run a broker",
		Long: `Run a broker until it is interrupted.

Settings have Kafka's names. They come from a properties file, from environment variables
(BARNABAS_LOG_RETENTION_HOURS is log.retention.hours) and from --set; later ones win. With none
at all, the broker listens at 127.0.0.1:9092, keeps its data in a directory of yours, and is a
whole cluster by itself. 'barnabas config docs' explains every setting.`,
		Example: `  barnabas serve
  barnabas serve /etc/kafka/server.properties
  barnabas serve --set log.dirs=/var/lib/barnabas --set num.partitions=6
  barnabas serve --nodes 3
  BARNABAS_LISTENERS=PLAINTEXT://:9092 barnabas serve --log-format json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("nodes") {
				return a.serveNodes(c.Context(), args, f)
			}
			values, warnings, err := a.loadSettings(args, f)
			if err != nil {
				return err
			}
			logger, level := newLogger(a.Stderr, values)
			for _, w := range warnings {
				logger.Warn(w.String())
			}
			return a.Serve(c.Context(), Broker{
				Values: values, Logger: logger, Level: level, Version: buildVersion().Version,
				Ready: func(s Started) { a.welcome(values, s) },
			})
		},
	}
	flags := c.Flags()
	flags.IntVar(&f.nodes, "nodes", 1, "run a whole cluster of so many nodes on this machine, for trying things: a process each, on consecutive ports, with the data in folders beside log.dirs")
	flags.StringArrayVar(&f.set, "set", nil, "set a setting, as `name=value`; may be repeated")
	flags.StringVar(&f.logLevel, "log-level", "", "least important messages to log: debug, `info`, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "", "how to log: `text` or json")
	return c
}

// loadSettings reads what the broker is configured with. All mistakes are told at once.
func (a *app) loadSettings(args []string, f serveFlags) (*config.Values, []config.Warning, error) {
	sources := []config.Source{config.FromMachine()}
	if len(args) == 1 {
		file, err := config.FromFile(args[0])
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s does not exist; 'barnabas serve' without a file needs none", args[0])
		}
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, file)
	}
	assignments := f.set
	if f.logLevel != "" {
		assignments = append(assignments, "barnabas.log.level="+f.logLevel)
	}
	if f.logFormat != "" {
		assignments = append(assignments, "barnabas.log.format="+f.logFormat)
	}
	set, err := config.FromAssignments(assignments)
	if err != nil {
		return nil, nil, usageError{err}
	}
	sources = append(sources, config.FromEnvironment(a.Environ), set)
	values, warnings, err := config.LoadBroker(sources...)
	if err != nil {
		return nil, nil, fmt.Errorf("the broker does not start with these settings:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return values, warnings, nil
}

// newLogger makes the broker's log: for people by default, without what they do not need.
func newLogger(w io.Writer, values *config.Values) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	if err := level.UnmarshalText([]byte(config.LogLevel.Of(values))); err != nil {
		panic(fmt.Sprintf("an unchecked log level: %v", err))
	}
	options := &slog.HandlerOptions{Level: level}
	if config.LogFormat.Of(values) == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), level
	}
	options.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && attr.Key == slog.TimeKey {
			attr.Value = slog.StringValue(attr.Value.Time().Format("2006-01-02 15:04:05.000"))
		}
		return attr
	}
	return slog.New(slog.NewTextHandler(w, options)), level
}

// welcome says in a few lines what somebody who has just started a broker wants to know.
func (a *app) welcome(values *config.Values, s Started) {
	told := toldAddresses(values, s.Addresses)
	fmt.Fprintf(a.Stdout, "Barnabas is ready: node %d of cluster %s.\n", s.NodeID, s.ClusterID)
	for _, line := range told {
		fmt.Fprintf(a.Stdout, "  clients connect to  %s\n", line)
	}
	if !values.HasRole("broker") {
		for _, l := range values.ControllerListeners() {
			fmt.Fprintf(a.Stdout, "  controller is at    %s\n", l.Address())
		}
	}
	fmt.Fprintf(a.Stdout, "  data is kept in     %s\n", strings.Join(values.LogDirs(), ", "))
	if s.Admin != "" {
		fmt.Fprintf(a.Stdout, "  metrics, health at  http://%s/metrics, /healthz, /readyz\n", s.Admin)
	}
}

// toldAddresses are what clients of each listener are told to connect to, and why.
func toldAddresses(values *config.Values, bound []string) []string {
	advertised := map[string]config.Listener{}
	for _, l := range values.AdvertisedListeners() {
		advertised[l.Name] = l
	}
	told := make([]string, 0, len(bound))
	for i, l := range values.Listeners() {
		address := l.Address()
		if i < len(bound) {
			address = bound[i]
		}
		host, port, err := net.SplitHostPort(address)
		ip := net.ParseIP(host)
		switch a, found := advertised[l.Name]; {
		case found:
			told = append(told, fmt.Sprintf("%s (advertised.listeners; it listens at %s)", a.Address(), address))
		case err == nil && (host == "" || ip != nil && ip.IsUnspecified()):
			told = append(told, fmt.Sprintf("port %s of any address of this machine, and are told the address they used; behind a port mapping, set advertised.listeners", port))
		default:
			told = append(told, address)
		}
	}
	return told
}
