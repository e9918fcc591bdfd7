package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LogDirs are the data directories, in the order given.
func (v *Values) LogDirs() []string {
	if dirs := logDirsKey.Of(v); len(dirs) > 0 {
		return dirs
	}
	return logDirKey.Of(v)
}

// HasRole reports whether process.roles names a role: "broker" or "controller".
func (v *Values) HasRole(role string) bool {
	return slices.Contains(processRolesKey.Of(v), role)
}

// crossCheck refuses settings that contradict each other, or that ask for what is not there yet.
func (v *Values) crossCheck() error {
	return errors.Join(v.checkNode(), v.checkQuorum(), v.checkChangeable())
}

// checkChangeable is the part of crossCheck that an alteration while the broker runs may offend too.
func (v *Values) checkChangeable() error {
	return errors.Join(v.checkListeners(), v.checkAdvertised(), v.checkLimits(), v.checkCleanerMemory(), v.checkTopicDefaults())
}

func (v *Values) checkNode() error {
	if id := brokerIDKey.Of(v); id >= 0 && id != NodeID.Of(v) {
		return fmt.Errorf("broker.id=%d and node.id=%d differ; set node.id alone", id, NodeID.Of(v))
	}
	switch {
	case !v.HasRole("controller") && len(v.Voters()) == 0 && len(v.BootstrapServers()) == 0:
		return errors.New("process.roles=broker: where are the controllers? Name some in controller.quorum.bootstrap.servers, or use process.roles=broker,controller")
	case !v.HasRole("controller") && len(v.ControllerListeners()) > 0:
		return fmt.Errorf("process.roles=broker: listeners names %s, which is the controller's; a broker without a controller does not listen there",
			listenerNames(v.ControllerListeners()))
	case !v.HasRole("broker") && len(v.ControllerListeners()) == 0:
		return errors.New("process.roles=controller: name the controller's listener in controller.listener.names, and its address in listeners")
	case !v.HasRole("broker") && len(v.Listeners()) > 0:
		return fmt.Errorf("process.roles=controller: listeners names %s, which is for brokers; a controller listens at those of controller.listener.names only",
			listenerNames(v.Listeners()))
	}
	return nil
}

// checkQuorum refuses a node that is none of the controllers that it names, and one that the others could not reach.
func (v *Values) checkQuorum() error {
	voters := v.Voters()
	if !v.HasRole("controller") {
		return nil
	}
	if len(voters) > 0 && !slices.ContainsFunc(voters, func(other Voter) bool { return other.ID == NodeID.Of(v) }) {
		return fmt.Errorf("controller.quorum.voters names nodes %s, but this is node.id=%d", voterIDs(voters), NodeID.Of(v))
	}
	if max(len(voters), len(v.BootstrapServers())) > 1 && len(v.ControllerListeners()) == 0 {
		return errors.New("several controllers are named, but no listener for them to reach this one: name one of listeners in controller.listener.names")
	}
	return nil
}

func voterIDs(voters []Voter) string {
	ids := make([]string, 0, len(voters))
	for _, voter := range voters {
		ids = append(ids, strconv.Itoa(int(voter.ID)))
	}
	return strings.Join(ids, ", ")
}

func (v *Values) checkListeners() error {
	for _, l := range slices.Concat(v.network.brokers, v.network.controllers) {
		switch l.Protocol {
		case "PLAINTEXT":
			continue
		case "SSL":
			return fmt.Errorf("listener %s speaks SSL: %s; give it PLAINTEXT or remove it", l, noTLS)
		}
		return fmt.Errorf("listener %s speaks %s: %s; give it PLAINTEXT or remove it", l, l.Protocol, noAuthentication)
	}
	if !v.HasRole("broker") {
		return nil
	}
	if len(v.network.brokers) == 0 {
		return errors.New("listeners names no address for clients; perhaps all are in controller.listener.names?")
	}
	if !slices.ContainsFunc(v.network.brokers, func(l Listener) bool { return l.Name == v.network.interBroker }) {
		return fmt.Errorf("inter.broker.listener.name: %s is no listener for brokers; they are %s", v.network.interBroker, listenerNames(v.network.brokers))
	}
	return nil
}

func (v *Values) checkAdvertised() error {
	for _, a := range v.network.advertised {
		if !slices.ContainsFunc(v.network.brokers, func(l Listener) bool { return l.Name == a.Name }) {
			return fmt.Errorf("advertised.listeners names %s, which is no listener; they are %s", a.Name, listenerNames(v.network.brokers))
		}
		if a.Host == "0.0.0.0" || a.Host == "::" || a.Host == "" {
			return fmt.Errorf("advertised.listeners: no client can connect to %q; name the host as clients see it, or leave the setting out", a.Host)
		}
	}
	return nil
}

func listenerNames(listeners []Listener) string {
	names := make([]string, 0, len(listeners))
	for _, l := range listeners {
		names = append(names, l.Name)
	}
	return strings.Join(names, ", ")
}

func (v *Values) checkLimits() error {
	queued, largest := QueuedMaxRequestBytes.Of(v), int64(SocketRequestMaxBytes.Of(v))
	if queued > 0 && queued < largest {
		return fmt.Errorf("queued.max.request.bytes=%d must be at least socket.request.max.bytes=%d", queued, largest)
	}
	if err := v.checkConnections(); err != nil {
		return err
	}
	heartbeat, session := BrokerHeartbeatIntervalMs.Of(v), BrokerSessionTimeoutMs.Of(v)
	if int64(heartbeat)*2 > int64(session) && (BrokerHeartbeatIntervalMs.IsSet(v) || BrokerSessionTimeoutMs.IsSet(v)) {
		return fmt.Errorf("broker.heartbeat.interval.ms=%d must be at most half of broker.session.timeout.ms=%d", heartbeat, session)
	}
	if least, most := GroupMinSessionTimeoutMs.Of(v), GroupMaxSessionTimeoutMs.Of(v); least > most {
		return fmt.Errorf("group.min.session.timeout.ms=%d is more than group.max.session.timeout.ms=%d", least, most)
	}
	return nil
}

// checkCleanerMemory keeps for each thread of the cleaner what a table of keys needs at the least, as Kafka does.
func (v *Values) checkCleanerMemory() error {
	if threads := LogCleanerThreads.Of(v); threads > 0 && LogCleanerDedupeBufferSize.Of(v)/int64(threads) <= 1<<20 {
		return whole("requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
	}
	return nil
}

// checkConnections refuses limits that let nobody in: set while running, they could not be undone, not even by a restart.
func (v *Values) checkConnections() error {
	if MaxConnections.Of(v) == 0 {
		return whole("max.connections=0 lets nobody in, not even whoever would change it")
	}
	if MaxConnectionsPerIP.Of(v) == 0 && connectionsPerIPKey.Of(v) == "" {
		return whole("requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.")
	}
	if idle, delay := ConnectionsMaxIdleMs.Of(v), v.number(Broker, "connection.failed.authentication.delay.ms"); idle >= 0 && float64(idle) <= delay {
		return whole("connections.max.idle.ms=%d must be more than connection.failed.authentication.delay.ms=%s, or negative to close no idle connection", idle, formatBound(delay))
	}
	_, err := v.ConnectionsPerIP()
	return err
}

func (v *Values) checkTopicDefaults() error {
	if TopicRetentionMs.Of(v) == 0 {
		return whole("requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	}
	return checkTopicTogether(v)
}
