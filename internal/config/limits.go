package config

import (
	"regexp"
	"strconv"
	"strings"
)

var hostForm = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]+$`)

// ConnectionsPerIP are the limits of max.connections.per.ip.overrides, by name or address as written. Those of dynamic
// settings were checked: it fails for static ones at most.
func (v *Values) ConnectionsPerIP() (map[string]int, error) {
	limits := map[string]int{}
	for _, entry := range splitList(connectionsPerIPKey.Of(v)) {
		i := strings.LastIndexByte(entry, ':')
		if i <= 0 {
			return nil, whole("max.connections.per.ip.overrides: %q does not have the form <host>:<connections>", entry)
		}
		host := strings.Trim(entry[:i], "[]")
		if !hostForm.MatchString(host) {
			return nil, whole("max.connections.per.ip.overrides: %q is no host", host)
		}
		limit, err := strconv.ParseUint(entry[i+1:], 10, 31)
		if err != nil {
			return nil, whole("max.connections.per.ip.overrides: %q does not have the form <host>:<connections>", entry)
		}
		limits[host] = int(limit)
	}
	return limits, nil
}
