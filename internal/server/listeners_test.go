package server

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
)

func (h *house) names() []string {
	var names []string
	for _, b := range h.server.Bound() {
		names = append(names, b.Name)
	}
	return names
}

func (h *house) dialListener(name string) *client {
	h.t.Helper()
	for _, b := range h.server.Bound() {
		if b.Name == name {
			socket, err := net.Dial("tcp", b.At.String())
			if err != nil {
				h.t.Fatal(err)
			}
			return newClient(h.t, socket)
		}
	}
	h.t.Fatalf("there is no listener %s", name)
	return nil
}

func local(name string) Listener { return Listener{Name: name, Address: "127.0.0.1:0"} }

func TestAListenerComesAndGoesWhileOthersServe(t *testing.T) {
	h := open(t, Limits{})
	old := h.dial()
	before := h.server.Addresses()[0].String()
	if err := h.server.SetListeners([]Listener{local("EXTRA"), local("PLAINTEXT")}); err != nil {
		t.Fatal(err)
	}
	early := h.dialListener("EXTRA")
	early.send(apiVersions()) // waits in the system's queue
	h.server.Serve()
	early.expect(1)
	if got := h.names(); !slices.Equal(got, []string{"PLAINTEXT", "EXTRA"}) || h.server.Addresses()[0].String() != before {
		t.Errorf("listeners are %v, the first at %s and not %s", got, h.server.Addresses()[0], before)
	}

	extra := h.server.Addresses()[1].String()
	if err := h.server.SetListeners([]Listener{local("PLAINTEXT")}); err != nil {
		t.Fatal(err)
	}
	early.expectClosed()
	if _, err := net.Dial("tcp", extra); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a listener that is gone answers %v", err)
	}
	old.send(apiVersions())
	old.expect(1)
}

func TestARemovedListenersConnectionsFinishWhatTheyHaveReceived(t *testing.T) {
	g := newGate()
	h := open(t, Limits{}, g.row(0, 7, true))
	if err := h.server.SetListeners([]Listener{local("PLAINTEXT"), local("EXTRA")}); err != nil {
		t.Fatal(err)
	}
	h.server.Serve()
	c := h.dialListener("EXTRA")
	c.send(produce(10))
	<-g.arrived
	if err := h.server.SetListeners([]Listener{local("PLAINTEXT")}); err != nil {
		t.Fatal(err)
	}
	c.expect(1)
	c.expectClosed()
}

func TestAListenerThatIsFullCanBeRemoved(t *testing.T) {
	h := open(t, Limits{MaxConnections: 1})
	c := h.dial()
	c.send(apiVersions())
	c.expect(1)
	if err := h.server.SetListeners([]Listener{local("EXTRA")}); err != nil {
		t.Fatal(err)
	}
	c.expectClosed()
	h.server.Serve()
	other := h.dialListener("EXTRA")
	other.send(apiVersions())
	other.expect(1)
}

func TestAListenerThatCannotBeBoundLeavesTheOthersAlone(t *testing.T) {
	h := open(t, Limits{})
	taken := Listener{Name: "TAKEN", Address: h.server.Addresses()[0].String()}
	all := []Listener{local("PLAINTEXT"), taken, local("EXTRA")}
	for what, ask := range map[string]func([]Listener) error{"trying": h.server.CanListen, "setting": h.server.SetListeners} {
		if err := ask(all); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s a listener on a port that is taken: %v", what, err)
		}
	}
	if got := h.names(); !slices.Equal(got, []string{"PLAINTEXT", "EXTRA"}) {
		t.Errorf("listeners are %v", got)
	}
	if err := h.server.CanListen([]Listener{taken}); err != nil {
		t.Errorf("the port of a listener that is to go is not free: %v", err)
	}
	if err := h.server.SetListeners([]Listener{taken}); err != nil {
		t.Errorf("the port of a listener that went is not free: %v", err)
	}
}
