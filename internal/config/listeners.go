package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Listener is one address that a node listens at or advertises.
type Listener struct {
	Name     string // as written, upper case
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Host     string // empty: every address of the machine
	Port     int32  // 0: the system's choice
}

// Address is host:port, as net.Listen takes it.
func (l Listener) Address() string {
	return net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))
}

// String is the listener in Kafka's notation.
func (l Listener) String() string {
	return l.Name + "://" + l.Address()
}

// network is what the settings about listeners mean together.
type network struct {
	brokers     []Listener // listened at for clients and brokers
	controllers []Listener // listened at for controllers
	advertised  []Listener // as set, without controllers'; empty: nothing was set
	interBroker string
}

// Listeners are the addresses at which this broker listens for clients and other brokers.
func (v *Values) Listeners() []Listener { return v.network.brokers }

// ControllerListeners are the addresses at which this node's controller listens.
func (v *Values) ControllerListeners() []Listener { return v.network.controllers }

// AdvertisedListeners are the addresses that clients shall be told, when advertised.listeners
// says so; it is empty when it says nothing.
func (v *Values) AdvertisedListeners() []Listener { return v.network.advertised }

// InterBrokerListener is the name of the listener that brokers use among themselves.
func (v *Values) InterBrokerListener() string { return v.network.interBroker }

func newNetwork(v *Values) (*network, error) {
	n := &network{}
	protocols, err := protocolMap(v)
	if err != nil {
		return n, err
	}
	all, err := parseListeners("listeners", listenersKey.Of(v), protocols)
	if err != nil {
		return n, err
	}
	advertised, err := parseListeners("advertised.listeners", advertisedListenersKey.Of(v), protocols)
	if err != nil {
		return n, err
	}
	isController := controllerNames(v)
	for _, l := range all {
		if isController(l.Name) {
			n.controllers = append(n.controllers, l)
		} else {
			n.brokers = append(n.brokers, l)
		}
	}
	for _, l := range advertised {
		if !isController(l.Name) {
			n.advertised = append(n.advertised, l)
		}
	}
	n.interBroker, err = interBrokerName(v, n.brokers)
	return n, err
}

func controllerNames(v *Values) func(name string) bool {
	names := controllerListenersKey.Of(v)
	return func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
}

// protocolMap reads listener.security.protocol.map. Unless it is set, controller
// listeners speak plain text, as in Kafka.
func protocolMap(v *Values) (map[string]string, error) {
	const name = "listener.security.protocol.map"
	text := protocolMapKey.Of(v)
	protocols := map[string]string{}
	for _, entry := range splitList(text) {
		listener, protocol, found := strings.Cut(entry, ":")
		listener, protocol = normalListener(listener), strings.ToUpper(strings.TrimSpace(protocol))
		if !found || listener == "" {
			return nil, &ValueError{Name: name, Value: text, Problem: "entries must have the form <listener name>:<security protocol>"}
		}
		if !slices.Contains(securityProtocols(), protocol) {
			return nil, &ValueError{Name: name, Value: text, Problem: protocol + " is no security protocol; they are " + strings.Join(securityProtocols(), ", ")}
		}
		protocols[listener] = protocol
	}
	if !protocolMapKey.IsSet(v) {
		for _, listener := range controllerListenersKey.Of(v) {
			if _, found := protocols[normalListener(listener)]; !found {
				protocols[normalListener(listener)] = "PLAINTEXT"
			}
		}
	}
	return protocols, nil
}

func securityProtocols() []string {
	return []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
}

func normalListener(name string) string { return strings.ToUpper(strings.TrimSpace(name)) }

// listenerForm is NAME://host:port; the host may be empty, or an IPv6 address in brackets.
var listenerForm = regexp.MustCompile(`^([^:/]+)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

func parseListeners(setting string, entries []string, protocols map[string]string) ([]Listener, error) {
	var parsed []Listener
	for _, entry := range entries {
		l, problem := parseListener(entry, protocols)
		if problem == "" && slices.ContainsFunc(parsed, func(other Listener) bool { return other.Name == l.Name }) {
			problem = "each listener must have a name of its own"
		}
		if problem == "" && setting == "listeners" && slices.ContainsFunc(parsed, func(other Listener) bool { return clash(other, l) }) {
			problem = "each listener must have a port of its own"
		}
		if problem != "" {
			return nil, &ValueError{Name: setting, Value: strings.Join(entries, ","), Problem: problem}
		}
		parsed = append(parsed, l)
	}
	return parsed, nil
}

func parseListener(entry string, protocols map[string]string) (Listener, string) {
	parts := listenerForm.FindStringSubmatch(entry)
	if parts == nil {
		return Listener{}, fmt.Sprintf("%q does not have the form <listener name>://<host>:<port>", entry)
	}
	name := normalListener(parts[1])
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil {
		return Listener{}, fmt.Sprintf("the port of %q must be from 0 to 65535", entry)
	}
	protocol, found := protocols[name]
	if !found {
		return Listener{}, fmt.Sprintf("no security protocol is given for listener %s; add %s:PLAINTEXT to listener.security.protocol.map", name, name)
	}
	return Listener{Name: name, Protocol: protocol, Host: parts[2], Port: int32(port)}, ""
}

// clash reports whether two listeners want the same port. One may be on an IPv4 and the
// other on an IPv6 address, or on different addresses of the machine.
func clash(a, b Listener) bool {
	if a.Port == 0 || a.Port != b.Port {
		return false
	}
	return a.Host == b.Host || a.Host == "" || b.Host == ""
}

// interBrokerName is the listener named for it, else the first of the protocol named for it.
func interBrokerName(v *Values, listeners []Listener) (string, error) {
	if name := normalListener(interBrokerListenerKey.Of(v)); name != "" {
		if interBrokerProtocolKey.IsSet(v) {
			return "", whole("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
		}
		return name, nil
	}
	protocol := interBrokerProtocolKey.Of(v)
	for _, l := range listeners {
		if l.Name == protocol {
			return l.Name, nil
		}
	}
	for _, l := range listeners {
		if l.Protocol == protocol {
			return l.Name, nil
		}
	}
	return protocol, nil
}
