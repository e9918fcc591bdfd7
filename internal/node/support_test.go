package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/node"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// defaults suit a broker that lives for a fraction of a second.
var defaults = map[string]string{
	"node.id":                      "1",
	"process.roles":                "broker,controller",
	"log.dirs":                     "/data",
	"listeners":                    "PLAINTEXT://127.0.0.1:0",
	"offsets.topic.num.partitions": "1",
	"barnabas.disk.reserve.bytes":  "-1",
	"barnabas.admin.listener":      "",
}

// journal keeps what a broker logs, for the tests that say what a person must be told.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// process is a broker's life, with the stop at the first failure that a real process has.
type process struct {
	node    *node.Node
	client  *client
	journal *journal
	cancel  context.CancelFunc
	ended   chan error
}

// launch starts a broker on a disk and connects to it.
func launch(disk vfs.FS, settings map[string]string) (*process, error) {
	all := maps.Clone(defaults)
	maps.Copy(all, settings)
	values, _, err := config.LoadBroker(config.FromMap("test", all))
	if err != nil {
		return nil, err
	}
	p := &process{journal: &journal{}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	logger := slog.New(slog.NewTextHandler(p.journal, &slog.HandlerOptions{Level: slog.LevelInfo}))
	ready := make(chan *node.Node, 1)
	go func() {
		p.ended <- node.Run(ctx, node.Options{Values: values, Logger: logger, FS: disk}, func(n *node.Node) { ready <- n })
	}()
	select {
	case p.node = <-ready:
	case err := <-p.ended:
		cancel()
		return nil, fmt.Errorf("start: %w", errors.Join(err, errEnded))
	case <-time.After(30 * time.Second):
		panic("a broker neither starts nor gives up:\n" + p.journal.String())
	}
	p.client, err = dial(p.node.Addresses()[0])
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

var errEnded = errors.New("the process ended")

// stop stops the broker in order, or waits for the end that it has chosen itself.
func (p *process) stop() error {
	if p.client != nil {
		p.client.close()
	}
	p.cancel()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(30 * time.Second):
		panic("a broker does not stop:\n" + p.journal.String())
	}
}

func mustLaunch(t *testing.T, disk vfs.FS, settings map[string]string) *process {
	t.Helper()
	p, err := launch(disk, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the broker's log:\n%s", p.journal)
		}
	})
	return p
}

func (p *process) mustStop(t *testing.T) {
	t.Helper()
	if err := p.stop(); err != nil {
		t.Fatalf("clean stop: %v", err)
	}
}

// must ends the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
