package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/server"
)

// resolveTimeout bounds how long a changed max.connections.per.ip.overrides keeps the node from acting on metadata.
const resolveTimeout = 5 * time.Second

// overrides are the limits of single hosts, with the addresses that the hosts had when the setting was made: a name
// server is not asked again for each change of metadata, let alone for each connection.
type overrides struct {
	perHost map[string]int
	perIP   map[string]int
}

// resolve gives the limits by address. An error names the hosts that have none; the others have theirs.
func (o *overrides) resolve(ctx context.Context, perHost map[string]int) (map[string]int, error) {
	if maps.Equal(perHost, o.perHost) {
		return o.perIP, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	var errs []error
	perIP := make(map[string]int, len(perHost))
	for host, limit := range perHost {
		if net.ParseIP(host) != nil {
			continue
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			errs = append(errs, fmt.Errorf("max.connections.per.ip.overrides: %w", err))
		}
		for _, address := range addresses {
			perIP[address] = limit
		}
	}
	for host, limit := range perHost { // an address says more than a name that happens to mean it
		if ip := net.ParseIP(host); ip != nil {
			perIP[ip.String()] = limit
		}
	}
	o.perHost, o.perIP = perHost, perIP
	return perIP, errors.Join(errs...)
}

// serverLimits are the limits that the settings mean now. Those that come with an error lack the hosts that it names.
func (n *Node) serverLimits(ctx context.Context) (server.Limits, error) {
	v := n.live.values()
	perHost, err := v.ConnectionsPerIP()
	if err != nil {
		return server.Limits{}, err
	}
	perIP, err := n.overrides.resolve(ctx, perHost)
	return server.Limits{
		RequestMaxBytes:     int(config.SocketRequestMaxBytes.Of(v)),
		QueuedMaxBytes:      max(config.QueuedMaxRequestBytes.Of(v), 0),
		MaxConnections:      int(config.MaxConnections.Of(v)),
		MaxConnectionsPerIP: int(config.MaxConnectionsPerIP.Of(v)),
		PerIP:               perIP,
		MaxIdle:             config.Millis(config.ConnectionsMaxIdleMs, v),
	}, err
}
