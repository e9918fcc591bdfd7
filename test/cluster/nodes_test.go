//go:build suite

// Package cluster runs three nodes, each a process, and lets clients work while nodes are killed, paused, stopped and started
// again. Everything acknowledged must be there: once, in order, at its offset.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const nodes = 3

// cluster is three nodes with the settings that a user would write for Apache Kafka.
type cluster struct {
	t     *testing.T
	nodes []*process
}

// process is a node's, while it runs.
type process struct {
	id                       int
	client, control, admin   string
	dir, properties, logFile string
	binary                   string
	within                   []string // what the process is started by, if it is not to run where the test does
	command                  *exec.Cmd
	ended                    chan error
}

func newCluster(t *testing.T, settings ...string) *cluster {
	t.Helper()
	binary, err := kafkatest.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return newClusterOf(t, binary, settings...)
}

// newClusterOf runs a binary that need not be the right one.
func newClusterOf(t *testing.T, binary string, settings ...string) *cluster {
	t.Helper()
	ports, err := kafkatest.FreePorts(3 * nodes)
	if err != nil {
		t.Fatal(err)
	}
	return newClusterAt(t, binary, func(node, port int) string { return fmt.Sprintf("127.0.0.1:%d", ports[3*node+port]) }, settings...)
}

// newClusterAt has the nodes listen at given addresses, for clients, controllers and health.
func newClusterAt(t *testing.T, binary string, address func(node, port int) string, settings ...string) *cluster {
	t.Helper()
	c, voters, dir := &cluster{t: t}, []string{}, t.TempDir()
	for i := range nodes {
		at := func(port int) string { return address(i, port) }
		p := &process{
			id: i + 1, client: at(0), control: at(1), admin: at(2), binary: binary,
			dir: filepath.Join(dir, fmt.Sprint(i+1)), properties: filepath.Join(dir, fmt.Sprintf("%d.properties", i+1)),
			logFile: filepath.Join(dir, fmt.Sprintf("%d.log", i+1)),
		}
		c.nodes = append(c.nodes, p)
		voters = append(voters, fmt.Sprintf("%d@%s", p.id, p.control))
	}
	for _, p := range c.nodes {
		lines := append([]string{
			"process.roles=broker,controller", fmt.Sprintf("node.id=%d", p.id), "controller.quorum.voters=" + strings.Join(voters, ","),
			"controller.listener.names=CONTROLLER", "listeners=PLAINTEXT://" + p.client + ",CONTROLLER://" + p.control,
			"log.dirs=" + p.dir, "barnabas.admin.listener=" + p.admin, "offsets.topic.num.partitions=3",
			"min.insync.replicas=2", "default.replication.factor=3", "barnabas.disk.reserve.bytes=-1",
		}, settings...)
		if err := os.WriteFile(p.properties, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, p := range c.nodes {
			p.kill()
			if t.Failed() {
				text, _ := os.ReadFile(p.logFile)
				t.Logf("log of node %d:\n%s", p.id, text)
			}
		}
	})
	return c
}

// addresses are where clients find the cluster.
func (c *cluster) addresses() []string {
	var out []string
	for _, p := range c.nodes {
		out = append(out, p.client)
	}
	return out
}

func (c *cluster) startAll() {
	c.t.Helper()
	for _, p := range c.nodes {
		c.must(p.start())
	}
	for _, p := range c.nodes {
		c.must(p.awaitReady(30 * time.Second))
	}
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (p *process) start() error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	words := append(slices.Clone(p.within), p.binary, "serve", p.properties)
	p.command = exec.Command(words[0], words[1:]...)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return err
	}
	p.ended = make(chan error, 1)
	go func(command *exec.Cmd, ended chan error) { ended <- command.Wait() }(p.command, p.ended)
	return nil
}

// awaitReady waits until the node says that it serves, is unfenced and in sync.
func (p *process) awaitReady(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-look.C:
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("node %d ended: %w", p.id, err)
		case <-ctx.Done():
			return fmt.Errorf("node %d is not ready after %v: %w", p.id, patience, errors.Join(err, ctx.Err()))
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	if p.command != nil {
		_ = p.command.Process.Signal(s) // a process that has ended needs none
	}
}

// kill ends the process as a crash does, and waits for that.
func (p *process) kill() {
	if p.command == nil {
		return
	}
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGKILL)
	<-p.ended
	p.command = nil
}

// wipe kills the process and has its disk be an empty one.
func (p *process) wipe() error {
	p.kill()
	return os.RemoveAll(p.dir)
}

// stop ends it in order.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	select {
	case err := <-p.ended:
		p.command = nil
		return err
	case <-time.After(30 * time.Second):
		return fmt.Errorf("node %d does not stop", p.id)
	}
}

// logged counts the lines with a text in all nodes' logs.
func (c *cluster) logged(text string) int {
	n := 0
	for _, p := range c.nodes {
		log, err := os.ReadFile(p.logFile)
		c.must(err)
		n += strings.Count(string(log), text)
	}
	return n
}
