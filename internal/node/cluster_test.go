package node_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// ensemble is three nodes of one quorum, each on a disk of its own.
type ensemble struct {
	t     *testing.T
	disks []*vfs.Mem
	ports []int
	nodes []*process // nil while it does not run
	more  map[string]string
	own   [3]map[string]string // of one node
}

func newEnsemble(t *testing.T, more map[string]string) *ensemble {
	t.Helper()
	e := &ensemble{t: t, nodes: make([]*process, 3), more: more}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0") // nodes must know each other's addresses before they start
		must(t, err)
		e.ports = append(e.ports, l.Addr().(*net.TCPAddr).Port)
		must(t, l.Close())
		e.disks = append(e.disks, vfs.NewMem())
	}
	t.Cleanup(func() {
		for _, p := range e.nodes {
			if p != nil {
				p.cancel()
			}
		}
		for i, p := range e.nodes {
			if p != nil {
				_ = p.stop()
				if t.Failed() {
					t.Logf("log of node %d:\n%s", i+1, p.journal)
				}
			}
		}
	})
	return e
}

func (e *ensemble) settings(i int) map[string]string {
	var voters []string
	for j, port := range e.ports {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", j+1, port))
	}
	s := map[string]string{
		"node.id": fmt.Sprint(i + 1), "controller.quorum.voters": strings.Join(voters, ","), "controller.listener.names": "CONTROLLER",
		"listeners": fmt.Sprintf("PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:%d", e.ports[i]),
	}
	maps.Copy(s, e.more)
	maps.Copy(s, e.own[i])
	return s
}

// start starts nodes at the same time, and returns when all serve.
func (e *ensemble) start(nodes ...int) {
	e.t.Helper()
	var all sync.WaitGroup
	errs := make([]error, 3)
	for _, i := range nodes {
		all.Go(func() { e.nodes[i], errs[i] = launch(e.disks[i], e.settings(i)) })
	}
	all.Wait()
	for _, err := range errs {
		must(e.t, err)
	}
}

func (e *ensemble) stop(i int) {
	e.t.Helper()
	must(e.t, e.nodes[i].stop())
	e.nodes[i] = nil
}

func (e *ensemble) create(through int, topic string, partitions int32, factor int16) {
	e.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	ask := kmsg.NewCreateTopicsRequestTopic()
	ask.Topic, ask.NumPartitions, ask.ReplicationFactor = topic, partitions, factor
	req.Topics = append(req.Topics, ask)
	answer, err := e.nodes[through].client.ask(req)
	must(e.t, err)
	must(e.t, kerr.ErrorForCode(answer.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode))
}

func TestThreeEmptyNodesBecomeOneClusterThatEveryNodeTakesTopicsFor(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	if a, b, c := e.nodes[0].node.ClusterID(), e.nodes[1].node.ClusterID(), e.nodes[2].node.ClusterID(); a != b || b != c {
		t.Fatalf("clusters %s, %s, %s", a, b, c)
	}
	for i := range 3 {
		e.create(i, fmt.Sprint("topic-", i), 3, 3)
	}
}

func TestAMemberThatWasAwayForLongGoesOnFromTheLeadersCheckpoint(t *testing.T) {
	e := newEnsemble(t, map[string]string{"metadata.log.max.record.bytes.between.snapshots": "1000"})
	e.start(0, 1, 2)
	e.create(0, "before", 1, 3)
	e.stop(2)
	for i := range 2500 { // more than is kept for who is a little behind, each a decision of its own
		must(t, e.nodes[0].client.setConfig(kmsg.ConfigResourceTypeTopic, "before", "retention.ms", fmt.Sprint(1000+i)))
	}
	e.start(2)
	e.create(2, "after", 1, 3)
	if !strings.Contains(e.nodes[2].journal.String(), "goes on from the leader's checkpoint") {
		t.Error("it needed none")
	}
}

func TestTheOnlyControllerMayBeThisNodeUnderAnotherName(t *testing.T) {
	e := newEnsemble(t, nil)
	settings := map[string]string{
		"node.id": "1", "controller.listener.names": "CONTROLLER",
		"listeners": fmt.Sprintf("PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:%d", e.ports[0]),
		// What forwards there is as little known to the node as an address of its own that a name stands for.
		"controller.quorum.bootstrap.servers": forwarded(t, e.ports[0]),
	}
	for range 2 {
		p := mustLaunch(t, e.disks[0], settings)
		must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", "1000"))
		p.mustStop(t)
	}
}

// forwarded is an address whose connections go to a port of this host.
func forwarded(t *testing.T, port int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				_ = from.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(way[0], way[1]) // until either end closes
					_ = way[0].Close()
				}()
			}
		}
	}()
	return l.Addr().String()
}
