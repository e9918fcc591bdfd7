package node

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/server"
)

// openServer binds the listeners that this process was started with. Those that were set dynamically are known, and
// bound, with the first image.
func (n *Node) openServer(ctx context.Context) error {
	v := n.live.values()
	listeners := serverListeners(v)
	if len(listeners) == 0 {
		return errNoListener
	}
	limits, err := n.serverLimits(ctx)
	if err != nil {
		return err
	}
	n.server = server.New(server.Options{
		Listeners: listeners, Rows: n.rows(), Broker: n.broker, Logger: n.logger, Observer: n.requests, Limits: limits,
	})
	return n.server.Listen()
}

// rows are what clients are served. A controller without a listener of its own takes what other nodes say here, too.
func (n *Node) rows() []api.Row {
	rows := api.Table()
	if n.isController() && n.control == nil {
		rows = append(rows, api.DoorForNodes())
	}
	return rows
}

// openControl serves the listeners of the controller, from the start on: the others need this one to find out who it is.
func (n *Node) openControl(ctx context.Context) error {
	n.ensemble = newEnsemble(n)
	v := n.live.values()
	if len(v.ControllerListeners()) == 0 {
		return nil
	}
	limits, err := n.serverLimits(ctx)
	if err != nil {
		return err
	}
	var listeners []server.Listener
	for _, l := range v.ControllerListeners() {
		listeners = append(listeners, server.Listener{Name: l.Name, Address: l.Address()})
	}
	n.control = server.New(server.Options{
		Listeners: listeners, Rows: api.ControllerTable(), Logger: n.logger, Limits: limits, Observer: n.requests,
		Broker: &api.Broker{
			NodeID: n.nodeID, Logger: n.logger, Now: time.Now, Config: n.live.values, Complaints: complaints.New(n.logger),
			Image:          n.publisher.current,
			AwaitImage:     n.publisher.awaitImage,
			MetadataOffset: func() int64 { return n.publisher.image.Load().end - 1 },
			Controller:     n.controller, Forwarded: n.controller.forwarded, Peer: n.ensemble.serve, Quorum: n.ensemble.quorum,
			LogLevel: n.options.LogLevel,
			// Listeners that cannot be bound are said in the log: this one serves before there are any to compare with.
			CanListen: func(map[string]string) error { return nil },
		},
	})
	if err := n.control.Listen(); err != nil {
		return err
	}
	n.control.Serve()
	return nil
}

func serverListeners(v *config.Values) []server.Listener {
	var listeners []server.Listener
	for _, l := range v.Listeners() {
		listener := server.Listener{Name: l.Name, Address: l.Address()}
		// Kafka's default of 100 KiB would keep the system from tuning the buffers to the connection.
		if config.SocketSendBufferBytes.IsSet(v) {
			listener.SendBuffer = int(config.SocketSendBufferBytes.Of(v))
		}
		if config.SocketReceiveBufferBytes.IsSet(v) {
			listener.ReceiveBuffer = int(config.SocketReceiveBufferBytes.Of(v))
		}
		listeners = append(listeners, listener)
	}
	return listeners
}

// setListeners opens the listeners that are new in an image's settings and closes those that are gone. New ones accept
// once they are registered: their first client shall find this broker in the metadata. What cannot be bound is tried
// again with each image, and said when there is something new to say.
func (n *Node) setListeners() {
	listeners := serverListeners(n.live.values())
	if slices.Equal(listeners, n.listeners) && n.saidNotBound == "" {
		return
	}
	n.listeners = listeners
	said := ""
	if err := n.server.SetListeners(listeners); err != nil {
		said = err.Error()
	}
	if said != "" && said != n.saidNotBound {
		n.logger.Error("a listener is not served; the others are", "error", said)
	}
	n.saidNotBound = said
	n.warnOfMoves(listeners)
	n.registration.amendSoon()
}

// warnOfMoves says that a listener does not change its address, as in Kafka: it would cut off whoever is told the old one.
func (n *Node) warnOfMoves(listeners []server.Listener) {
	wanted := map[string]string{}
	for _, l := range listeners {
		wanted[l.Name] = l.Address
	}
	for _, b := range n.server.Bound() {
		if b.Address != wanted[b.Name] {
			n.logger.Warn("a listener keeps its address; to move, add one of another name", "listener", b.Name, "address", b.Address,
				"configured", wanted[b.Name])
		}
	}
}

// canListen tells whether the listeners that a change of this broker's settings would add can be bound: whoever asks for
// the change is told, where it would else be an error in the log.
func (n *Node) canListen(change map[string]string) error {
	image := n.publisher.current()
	own := map[string]string{}
	maps.Copy(own, image.Config(meta.ResourceBroker, nodeName(n.nodeID)))
	maps.Copy(own, change)
	v, _ := n.live.static.WithDynamic(image.Config(meta.ResourceBroker, ""), own) // what is wrong with it is the controller's to say
	return n.server.CanListen(serverListeners(v))
}

// controllerEndpoints are where this node's controller is reached; none before that is known.
func (n *Node) controllerEndpoints() []members.Endpoint {
	s := n.control
	if s == nil {
		s = n.server
	}
	if s == nil || !n.isController() {
		return nil
	}
	endpoints, err := n.endpointsOf(s)
	if err != nil {
		n.logger.Error("others cannot be told where this controller listens", "error", err)
	}
	var out []members.Endpoint
	for _, e := range endpoints {
		out = append(out, members.Endpoint{Name: e.name, Host: e.host, Port: e.port})
	}
	return out
}

// endpoint is where clients of one listener reach this broker.
type endpoint struct {
	name string
	host string
	port uint16
}

// endpoints are what this broker registers: for each of its listeners what it was told to advertise, else where it listens. A
// listener on every interface registers the host's name, for other brokers; clients are told the address that they dialled.
func (n *Node) endpoints() ([]endpoint, error) { return n.endpointsOf(n.server) }

func (n *Node) endpointsOf(s *server.Server) ([]endpoint, error) {
	advertised := make(map[string]config.Listener)
	for _, l := range n.live.values().AdvertisedListeners() {
		advertised[l.Name] = l
	}
	var out []endpoint
	for _, l := range s.Bound() {
		at, ok := l.At.(*net.TCPAddr)
		host, _, err := net.SplitHostPort(l.Address)
		if !ok || err != nil {
			return nil, fmt.Errorf("listener %s on %q is bound to %s", l.Name, l.Address, l.At)
		}
		e := endpoint{name: l.Name, host: host, port: uint16(at.Port)}
		if a, ok := advertised[l.Name]; ok {
			e.host, e.port = a.Host, uint16(a.Port)
		} else if at.IP.IsUnspecified() {
			if e.host, err = os.Hostname(); err != nil {
				return nil, fmt.Errorf("listener %s: name of this host: %w", l.Name, err)
			}
		}
		out = append(out, e)
	}
	return out, nil
}
