package node

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// other is one of the other controllers, and the ways to it.
type other struct {
	address string
	hello   atomic.Pointer[peer.Hello] // what it last said of itself; nil before it ever has
	control *client.Peer               // for requests that wait for a commit
	beats   *client.Peer               // for heartbeats, which wait behind nothing else
	follow  *client.Peer               // for metadata, which is waited for
	outbox  outbox
	report  report
	stop    context.CancelFunc // ends its delivery; nil before that begins
}

func newOther(address, name string) *other {
	o := &other{address: address}
	at := func() (string, bool) { return address, true }
	options := client.Options{ClientID: name, Version: "1"}
	o.control, o.beats, o.follow = client.NewPeer(at, options), client.NewPeer(at, options), client.NewPeer(at, options)
	o.outbox.init()
	return o
}

func (o *other) close() {
	if o.stop != nil {
		o.stop()
	}
	o.control.Close()
	o.beats.Close()
	o.follow.Close()
}

// is says that it last said to be a member.
func (o *other) is(raftID uint64) bool {
	h := o.hello.Load()
	return h != nil && h.RaftID == raftID
}

// newEnsemble makes the ways to the controllers that are configured. Nothing is dialled yet.
func newEnsemble(n *Node) *ensemble {
	e := &ensemble{
		node: n, self: quorum.RaftID(n.metadataOwner().Identity().DirectoryID), changing: make(chan struct{}, 1), lost: make(chan struct{}, 1),
	}
	e.configured, e.listed = n.otherControllers()
	e.keepUp(quorum.Members{})
	return e
}

// keepUp makes the others those that are configured and those that are members now: a member is reached where the quorum knows it
// to be, whoever has it in a file.
func (e *ensemble) keepUp(m quorum.Members) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.members = m
	e.arrange()
}

// met takes what a member of the quorum knows of the others, for as long as this node is none itself.
func (e *ensemble) met(contacts []peer.Contact) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.contacts = contacts
	e.arrange()
}

// arrange makes the others what they are to be now. The caller holds mu.
func (e *ensemble) arrange() {
	wanted := e.wanted()
	var next []*other
	for _, o := range e.others {
		if slices.Contains(wanted, o.address) {
			next = append(next, o)
		} else {
			o.close()
		}
	}
	for _, address := range wanted {
		if slices.ContainsFunc(next, func(o *other) bool { return o.address == address }) {
			continue
		}
		o := newOther(address, nodeName(e.node.nodeID))
		next = append(next, o)
		e.deliverTo(o)
	}
	e.others = next
}

// wanted are the addresses of the others, each once: none beside the configured one of who is reached there. The caller holds mu.
func (e *ensemble) wanted() []string {
	var addresses []string
	add := func(address string) {
		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	for _, address := range e.configured {
		add(address)
	}
	configured := len(addresses)
	contact := func(id uint64, m members.Member) {
		reached := slices.ContainsFunc(e.others, func(o *other) bool { return o.is(id) && slices.Contains(addresses[:configured], o.address) })
		if id != e.self && !reached && len(m.Endpoints) > 0 {
			add(addressOf(m))
		}
	}
	for id, said := range e.members.Contexts {
		if m, err := members.Decode(said); err == nil {
			contact(id, m)
		}
	}
	if !e.members.Has(e.self) {
		for _, c := range e.contacts {
			contact(c.RaftID, c.Member)
		}
	}
	slices.Sort(addresses[configured:])
	return addresses
}

// addressOf is where a member is reached. It has endpoints.
func addressOf(m members.Member) string {
	return net.JoinHostPort(m.Endpoints[0].Host, strconv.Itoa(int(m.Endpoints[0].Port)))
}

// greeted takes what another controller says of itself.
func (e *ensemble) greeted(o *other, h *peer.Hello) {
	before := o.hello.Swap(h)
	if before != nil && before.RaftID == h.RaftID {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.RaftID == e.self { // this node, under a name that it does not know itself by
		e.configured = slices.DeleteFunc(slices.Clone(e.configured), func(a string) bool { return a == o.address })
		e.listed = true
	}
	e.arrange()
}

// otherControllers are the addresses of the configured controllers but for this node, and whether that is one of them, as where none
// are configured.
func (n *Node) otherControllers() (addresses []string, listed bool) {
	v := n.live.values()
	for _, voter := range v.Voters() {
		if voter.ID == n.nodeID {
			listed = true
			continue
		}
		addresses = append(addresses, net.JoinHostPort(voter.Host, strconv.Itoa(int(voter.Port))))
	}
	if len(v.Voters()) > 0 {
		return addresses, listed
	}
	for _, server := range v.BootstrapServers() {
		if n.isOwnController(server) {
			listed = true
			continue
		}
		addresses = append(addresses, server)
	}
	return addresses, listed || len(addresses) == 0
}

// isOwnController says that an address is one at which this node's controller listens.
func (n *Node) isOwnController(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	for _, l := range n.live.values().ControllerListeners() {
		if strconv.Itoa(int(l.Port)) == port && (l.Host == host || sameHost(l.Host, host)) {
			return true
		}
	}
	return false
}

// sameHost says that a name is this host's, where a listener is on every interface or names it otherwise.
func sameHost(listens, asked string) bool {
	asks, err := net.LookupHost(asked)
	if err != nil {
		return false
	}
	var own []string
	if listens == "" || listens == "0.0.0.0" || listens == "::" {
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			return false
		}
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok {
				own = append(own, ip.IP.String())
			}
		}
	} else if own, err = net.LookupHost(listens); err != nil {
		return false
	}
	for _, a := range asks {
		for _, b := range own {
			if a == b {
				return true
			}
		}
	}
	return false
}
