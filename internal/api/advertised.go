package api

import (
	"net"
	"net/netip"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// endpoint is what the client of a connection should dial to reach a node: what that node registered for the listener
// by which the client came. False says that the node is not registered, or has no such listener.
//
// This broker itself, when it listens on every interface and was not told what to advertise, gives the address at
// which this very client reached it: that one is known to work, while a host name may not (a server cannot see a port
// mapping in front of it, so behind one advertised.listeners must be set).
func (b *Broker) endpoint(c *Conn, node int32) (host string, port int32, rack *string, ok bool) {
	broker, known := b.Image().Broker(node)
	if !known {
		return "", 0, nil, false
	}
	return b.endpointOf(c, broker)
}

func (b *Broker) endpointOf(c *Conn, broker *meta.Broker) (host string, port int32, rack *string, ok bool) {
	for i := range broker.Listeners {
		l := &broker.Listeners[i]
		if l.Name != c.Listener {
			continue
		}
		if broker.ID == b.NodeID && b.advertisesConnection(c) {
			if local, isTCP := c.Local.(*net.TCPAddr); isTCP {
				return local.IP.String(), int32(local.Port), broker.Rack, true
			}
		}
		return l.Host, int32(l.Port), broker.Rack, true
	}
	return "", 0, nil, false
}

// advertisesConnection reports whether a listener gives each client the address that it dialled.
func (b *Broker) advertisesConnection(c *Conn) bool {
	settings := b.Config()
	for _, l := range settings.AdvertisedListeners() {
		if l.Name == c.Listener {
			return false
		}
	}
	for _, l := range settings.Listeners() {
		if l.Name == c.Listener {
			address, err := netip.ParseAddr(l.Host)
			return l.Host == "" || err == nil && address.IsUnspecified()
		}
	}
	return false
}

// hasListener reports whether a broker can be reached by the clients of a listener.
func hasListener(broker *meta.Broker, listener string) bool {
	for i := range broker.Listeners {
		if broker.Listeners[i].Name == listener {
			return true
		}
	}
	return false
}

// aliveBroker is a broker that answers for the whole cluster, this one if it is not fenced; -1 if there is none. Any
// will do as the controller that clients are told: each hands on what is the controller's.
func (b *Broker) aliveBroker(im *meta.Image) int32 {
	alive := int32(-1)
	for broker := range im.Brokers() {
		if broker.Fenced {
			continue
		}
		if broker.ID == b.NodeID {
			return broker.ID
		}
		if alive < 0 {
			alive = broker.ID
		}
	}
	return alive
}
