package node_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	twoProtocols = "PLAINTEXT:PLAINTEXT,EXTRA:PLAINTEXT"
	twoListeners = "PLAINTEXT://127.0.0.1:0,EXTRA://127.0.0.1:0"
)

func (p *process) setListeners(listeners string) error {
	return p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "listeners", listeners)
}

// expectToldItself checks that a client of a listener is told that very address.
func expectToldItself(t *testing.T, address string) *client {
	t.Helper()
	c, err := dial(address)
	must(t, err)
	resp, err := call[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
	must(t, err)
	if len(resp.Brokers) != 1 {
		t.Fatalf("clients at %s are told %d brokers", address, len(resp.Brokers))
	}
	told := &net.TCPAddr{IP: net.ParseIP(resp.Brokers[0].Host), Port: int(resp.Brokers[0].Port)}
	if told.String() != address {
		t.Errorf("clients at %s are told %s", address, told)
	}
	return c
}

// listeners and listener.security.protocol.map were described as dynamic and ignored: the port refused connections, and
// a registration with another number of listeners than the process was started with could panic.
func TestADynamicListenerServesAtOnceAndAfterARestart(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "listener.security.protocol.map", twoProtocols))
	must(t, p.setListeners(twoListeners))
	addresses := p.node.Addresses()
	if len(addresses) != 2 {
		t.Fatalf("listening at %v", addresses)
	}
	expectToldItself(t, addresses[1]).close()
	p.mustStop(t)

	p = mustLaunch(t, disk, nil)
	if addresses = p.node.Addresses(); len(addresses) != 2 {
		t.Fatalf("after a restart, listening at %v", addresses)
	}
	expectToldItself(t, addresses[0]).close()
	extra := expectToldItself(t, addresses[1])
	must(t, p.setListeners("PLAINTEXT://127.0.0.1:0"))
	if _, err := extra.conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection of a removed listener ends with %v", err)
	}
	if conn, err := net.Dial("tcp", addresses[1]); err == nil {
		_ = conn.Close()
		t.Error("a removed listener takes connections")
	}
	expectToldItself(t, addresses[0]).close()
	p.mustStop(t)
}

func TestWhoRemovesTheOwnListenerGetsTheAnswer(t *testing.T) {
	p := mustLaunch(t, vfs.NewMem(), map[string]string{"listener.security.protocol.map": twoProtocols, "listeners": twoListeners})
	address := p.node.Addresses()[1]
	c, err := dial(address)
	must(t, err)
	must(t, c.setConfig(kmsg.ConfigResourceTypeBroker, "1", "listeners", "PLAINTEXT://127.0.0.1:0"))
	if _, err := c.conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection ends with %v", err)
	}
	p.mustStop(t)
}

func TestListenersThatCannotBeAreRefused(t *testing.T) {
	p := mustLaunch(t, vfs.NewMem(), map[string]string{
		"listener.security.protocol.map": twoProtocols + ",SAFE:SSL", "listeners": twoListeners,
		"advertised.listeners": "PLAINTEXT://localhost:9092,EXTRA://localhost:9093",
	})
	for listeners, why := range map[string]string{
		"PLAINTEXT://127.0.0.1:0":                                "advertised.listeners names EXTRA",
		twoListeners + ",THIRD://127.0.0.1:0":                    "no security protocol is given for listener THIRD",
		twoListeners + ",SAFE://127.0.0.1:0":                     "speaks SSL",
		"EXTRA://127.0.0.1:0,PLAINTEXT://127.0.0.1:0,EXTRA://:0": "a name of its own",
	} {
		if err := p.setListeners(listeners); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("listeners=%s: %v", listeners, err)
		}
	}
	err := p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,EXTRA:SSL")
	if err == nil || !strings.Contains(err.Error(), "speaks SSL") {
		t.Errorf("another protocol for a listener that is there: %v", err)
	}
	if got := len(p.node.Addresses()); got != 2 {
		t.Errorf("there are %d listeners", got)
	}
	p.mustStop(t)
}

func TestAListenerOnATakenPortIsRefused(t *testing.T) {
	p := mustLaunch(t, vfs.NewMem(), map[string]string{"listener.security.protocol.map": twoProtocols})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	listeners := "PLAINTEXT://127.0.0.1:0,EXTRA://" + taken.Addr().String()
	if err := p.setListeners(listeners); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port that is taken: %v", err)
	}
	must(t, taken.Close())
	must(t, p.setListeners(listeners))
	expectToldItself(t, taken.Addr().String()).close()
	p.mustStop(t)
}

func TestADynamicListenerWhosePortIsTakenDoesNotKeepTheBrokerFromStarting(t *testing.T) {
	disk, settings := vfs.NewMem(), map[string]string{"listener.security.protocol.map": twoProtocols}
	p := mustLaunch(t, disk, settings)
	must(t, p.setListeners(twoListeners))
	extra := p.node.Addresses()[1]
	must(t, p.setListeners("PLAINTEXT://127.0.0.1:0"))
	must(t, p.setListeners("PLAINTEXT://127.0.0.1:0,EXTRA://"+extra))
	p.mustStop(t)

	taken, err := net.Listen("tcp", extra)
	must(t, err)
	p = mustLaunch(t, disk, settings)
	if log := p.journal.String(); strings.Count(log, "a listener is not served") != 1 || !strings.Contains(log, extra) {
		t.Errorf("the log does not say once that %s is taken", extra)
	}
	must(t, taken.Close())
	_, err = p.client.createTopic("orders", 1, nil) // any new image
	must(t, err)
	expectToldItself(t, extra).close()
	p.mustStop(t)
}
