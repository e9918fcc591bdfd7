//go:build suite

package cluster

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/history"
	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

var cutsFor = flag.Duration("cuts", 150*time.Second, "how long the network between nodes is cut and healed")

// insideOf is set where a test runs in namespaces of its own: to the binary, as nothing can be fetched from there.
const insideOf = "CLUSTER_SUITE_BINARY"

// inNamespaces runs a test again, as the root of namespaces of its own, where it may make networks. It is true inside.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideOf) != "" {
		return true
	}
	binary, err := kafkatest.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-Urnm", os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=120m", "-seed=" + strconv.FormatUint(*seedFlag, 10), "-cuts=" + cutsFor.String()}
	command := exec.CommandContext(t.Context(), "unshare", args...)
	command.Env = append(os.Environ(), insideOf+"="+binary)
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("unshare -Urnm: %v (does this machine forbid user namespaces, or lack the package iproute2?)", err)
	}
	return false
}

// network is a hub, where the clients are, and a namespace for each node, reached through the hub alone.
type network struct {
	t     *testing.T
	rules [][]string
}

func host(node int) string { return fmt.Sprintf("10.77.%d.1", node+1) }
func way(node int) string  { return fmt.Sprintf("way%d", node+1) }

// newNetworked is a cluster on such a network.
func newNetworked(t *testing.T, settings ...string) (*cluster, *network) {
	t.Helper()
	n := &network{t: t}
	n.run("ip", "link", "set", "lo", "up")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := newClusterAt(t, os.Getenv(insideOf), func(node, port int) string { return fmt.Sprintf("%s:%d", host(node), 9092+port) }, settings...)
	for i, p := range c.nodes {
		// A process that does nothing keeps the namespace while the node does not run.
		keeper := exec.CommandContext(t.Context(), "unshare", "-n", "sleep", "infinity")
		if err := keeper.Start(); err != nil {
			t.Fatal(err)
		}
		pid := strconv.Itoa(keeper.Process.Pid)
		inside := []string{"nsenter", "-t", pid, "-n"}
		c.must(c.eventually(5*time.Second, func(context.Context) error { return other(pid) }))
		gateway := fmt.Sprintf("10.77.%d.254", i+1)
		n.run("ip", "link", "add", way(i), "type", "veth", "peer", "name", "eth0", "netns", pid)
		n.run("ip", "addr", "add", gateway+"/24", "dev", way(i))
		n.run("ip", "link", "set", way(i), "up")
		for _, words := range [][]string{
			{"ip", "addr", "add", host(i) + "/24", "dev", "eth0"}, {"ip", "link", "set", "eth0", "up"}, {"ip", "link", "set", "lo", "up"},
			{"ip", "route", "add", "default", "via", gateway},
		} {
			n.run(append(inside, words...)...)
		}
		p.within = inside
	}
	return c, n
}

// other says that a process has come to a namespace of its own.
func other(pid string) error {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	its, err := os.Readlink("/proc/" + pid + "/ns/net")
	if err == nil && its == own {
		err = fmt.Errorf("process %s is still in the test's namespace", pid)
	}
	return err
}

func (n *network) run(words ...string) {
	n.t.Helper()
	if out, err := exec.CommandContext(n.t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		n.t.Fatalf("%v: %v: %s", words, err, bytes.TrimSpace(out))
	}
}

// drop has the hub drop packets, without a word to who sent them.
func (n *network) drop(which ...string) {
	rule := append(which, "blackhole")
	n.run(append([]string{"ip", "rule", "add"}, rule...)...)
	n.rules = append(n.rules, rule)
}

// heal takes everything back.
func (n *network) heal() {
	for _, rule := range n.rules {
		n.run(append([]string{"ip", "rule", "del"}, rule...)...)
	}
	n.rules = nil
}

// cuts are the ways in which a network may be cut around a node, and the next one.
func (n *network) cuts() map[string]func(node int) {
	mute := func(node int) { n.drop("iif", way(node)) }
	deaf := func(node int) { n.drop("to", host(node)) }
	oneWay := func(from, to int) { n.drop("iif", way(from), "to", host(to)) }
	next := func(node int) int { return (node + 1) % nodes }
	return map[string]func(node int){
		"cut off": func(node int) { mute(node); deaf(node) },
		"mute":    mute,
		"deaf":    deaf,
		"parted":  func(node int) { oneWay(node, next(node)); oneWay(next(node), node) },
		"one way": func(node int) { oneWay(node, next(node)) },
	}
}

func TestNothingAcknowledgedIsLostWhileTheNetworkIsCut(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	c, n := newNetworked(t, "metadata.log.max.record.bytes.between.snapshots=20000")
	h := history.New()
	c.startAll()
	c.createTopic()
	l := startLoad(c, h)
	count, kinds := map[string]int{}, []string{"cut off", "mute", "deaf", "parted", "one way"}
	for until := time.Now().Add(*cutsFor); time.Now().Before(until); {
		node, kind := random.IntN(nodes), kinds[random.IntN(len(kinds))]
		count[kind]++
		n.cuts()[kind](node)
		letRun(time.Duration(random.IntN(5_000)) * time.Millisecond)
		if random.IntN(4) == 0 { // and a node goes while the network is cut
			p := c.nodes[random.IntN(nodes)]
			p.kill()
			c.must(p.start())
			count["killed too"]++
		}
		n.heal()
		for _, p := range c.nodes {
			c.must(p.awaitReady(60 * time.Second))
		}
		letRun(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	t.Logf("cuts: %v", count)
	if err := l.end(); err != nil {
		t.Error(err)
	}
	c.verify(h)
}

// TestANodeThatIsCutOffIsTakenOutOfTheWay prints how long it takes until others lead instead of it, and until a client that connects
// then has written to every partition.
func TestANodeThatIsCutOffIsTakenOutOfTheWay(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	c, n := newNetworked(t)
	c.startAll()
	c.createTopic()
	for i, p := range c.nodes {
		for _, other := range c.nodes {
			c.must(other.awaitReady(30 * time.Second))
			c.must(c.eventually(15*time.Second, func(ctx context.Context) error { return c.ledBy(ctx, other, func(int32) bool { return true }) }))
		}
		survivors := []string{c.nodes[(i+1)%nodes].client, c.nodes[(i+2)%nodes].client}
		n.cuts()["cut off"](i)
		cut := time.Now()
		c.must(c.eventually(15*time.Second, func(ctx context.Context) error {
			return c.ledBy(ctx, c.nodes[(i+1)%nodes], func(leader int32) bool { return leader != int32(p.id) })
		}))
		led := time.Since(cut)
		h := history.New()
		l := startLoadAt(c, h, survivors)
		c.must(c.eventually(30*time.Second, func(context.Context) error {
			if h.Acknowledged() < producers*partitions {
				return fmt.Errorf("%d records are acknowledged", h.Acknowledged())
			}
			return nil
		}))
		t.Logf("node %d was cut off: its partitions had other leaders after %v, and fresh clients had written to all partitions after %v",
			p.id, led.Round(time.Millisecond), time.Since(cut).Round(time.Millisecond))
		c.must(l.end())
		n.heal()
	}
}

// ledBy says whether all partitions of the topic have leaders as wanted, as a node tells.
func (c *cluster) ledBy(ctx context.Context, from *process, wanted func(int32) bool) error {
	at, err := leaders(ctx, from)
	if err != nil {
		return err
	}
	if len(at) != partitions {
		return fmt.Errorf("%d partitions are known", len(at))
	}
	for _, leader := range at {
		if leader < 0 || !wanted(leader) {
			return fmt.Errorf("leaders are %v", at)
		}
	}
	return nil
}
