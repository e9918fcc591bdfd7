package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/barnabas-mq/barnabas/internal/config"
)

const (
	// maxNodes bounds a local cluster: it is for trying things.
	maxNodes = 9
	// controllerPort and adminPort are how far the ports of a node's controller and admin listeners are from the first of all.
	controllerPort = 100
	adminPort      = 200
	// nodeStops is how long a node may take to stop before it is killed.
	nodeStops = 40 * time.Second
)

var errNodesAlone = errors.New("--nodes runs a cluster with settings of its own: leave out the file, and set what you want with --set")

// serveNodes runs a whole cluster on this machine, a process a node, until it is interrupted or one of them ends.
func (a *app) serveNodes(ctx context.Context, args []string, f serveFlags) error {
	if len(args) > 0 {
		return errNodesAlone
	}
	if f.nodes < 2 || f.nodes > maxNodes {
		return fmt.Errorf("--nodes %d: from 2 to %d; without it there is one", f.nodes, maxNodes)
	}
	values, _, err := a.loadSettings(nil, f)
	if err != nil {
		return err
	}
	first := values.Listeners()[0]
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	var addresses []string
	for id := 1; id <= f.nodes; id++ {
		settings := nodeSettings(values, first, id, f.nodes)
		addresses = append(addresses, net.JoinHostPort(host(first), strconv.Itoa(int(first.Port)+id-1)))
		command := nodeCommand(ctx, self, settings, f)
		command.Stdout, command.Stderr = prefixed(a.Stderr, id), prefixed(a.Stderr, id)
		if err := command.Start(); err != nil {
			stop(nil)
			running.Wait()
			return fmt.Errorf("node %d: %w", id, err)
		}
		running.Go(func() {
			err := command.Wait()
			if ctx.Err() == nil {
				stop(fmt.Errorf("node %d ended, and so do the others: %w", id, errors.Join(err, errNodeEnded)))
			}
		})
	}
	fmt.Fprintf(a.Stderr, "A cluster of %d nodes is starting. Clients connect to %s\n", f.nodes, strings.Join(addresses, ","))
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

var errNodeEnded = errors.New("see its messages above")

func host(l config.Listener) string {
	if l.Host == "" {
		return "127.0.0.1"
	}
	return l.Host
}

// nodeSettings are those of one node that make it a part of this cluster: they are not the user's to set.
func nodeSettings(v *config.Values, first config.Listener, id, nodes int) []string {
	at := func(offset, id int) string {
		return net.JoinHostPort(host(first), strconv.Itoa(int(first.Port)+offset+id-1))
	}
	var voters []string
	for other := 1; other <= nodes; other++ {
		voters = append(voters, fmt.Sprintf("%d@%s", other, at(controllerPort, other)))
	}
	return []string{
		"node.id=" + strconv.Itoa(id),
		"process.roles=broker,controller",
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"controller.listener.names=CONTROLLER",
		"listeners=PLAINTEXT://" + at(0, id) + ",CONTROLLER://" + at(controllerPort, id),
		"log.dirs=" + filepath.Join(v.LogDirs()[0]+"-nodes", strconv.Itoa(id)),
		"barnabas.admin.listener=" + at(adminPort, id),
	}
}

// nodeDefaults suit a cluster better than what suits a node that is alone.
func nodeDefaults(nodes int) []string {
	replicas := min(nodes, 3)
	return []string{
		"default.replication.factor=" + strconv.Itoa(replicas),
		"min.insync.replicas=" + strconv.Itoa(replicas/2+1),
	}
}

// nodeCommand runs a node; the end of ctx asks it to stop.
func nodeCommand(ctx context.Context, self string, own []string, f serveFlags) *exec.Cmd {
	settings := nodeDefaults(f.nodes)
	for _, s := range f.set {
		if !slices.ContainsFunc(own, func(o string) bool { return nameOf(o) == nameOf(s) }) {
			settings = append(settings, s)
		}
	}
	arguments := []string{"serve"}
	for _, s := range append(settings, own...) {
		arguments = append(arguments, "--set", s)
	}
	if f.logLevel != "" {
		arguments = append(arguments, "--log-level", f.logLevel)
	}
	if f.logFormat != "" {
		arguments = append(arguments, "--log-format", f.logFormat)
	}
	command := exec.CommandContext(ctx, self, arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = nodeStops
	apart(command)
	return command
}

func nameOf(setting string) string {
	name, _, _ := strings.Cut(setting, "=")
	return strings.TrimSpace(name)
}

// prefixed marks each line with the node that it is from.
func prefixed(to io.Writer, id int) *prefixWriter {
	return &prefixWriter{to: to, prefix: fmt.Sprintf("node %d | ", id)}
}

// prefixWriter belongs to one goroutine, as exec's copying does.
type prefixWriter struct {
	to     io.Writer
	prefix string
	line   []byte
}

func (w *prefixWriter) Write(b []byte) (int, error) {
	for _, c := range b {
		w.line = append(w.line, c)
		if c == '\n' {
			if _, err := w.to.Write(append([]byte(w.prefix), w.line...)); err != nil {
				return 0, err
			}
			w.line = w.line[:0]
		}
	}
	return len(b), nil
}
