package config

import (
	"strconv"
	"strings"
)

// ConnectionsPerIP are the limits of max.connections.per.ip.overrides, by host as written.
func (v *Values) ConnectionsPerIP() (map[string]int, error) {
	limits := map[string]int{}
	for _, entry := range splitList(connectionsPerIPKey.Of(v)) {
		i := strings.LastIndexByte(entry, ':')
		if i <= 0 {
			return nil, whole("max.connections.per.ip.overrides: %q does not have the form <host>:<connections>", entry)
		}
		limit, err := strconv.ParseUint(entry[i+1:], 10, 31)
		if err != nil {
			return nil, whole("max.connections.per.ip.overrides: %q does not have the form <host>:<connections>", entry)
		}
		limits[strings.Trim(entry[:i], "[]")] = int(limit)
	}
	return limits, nil
}
