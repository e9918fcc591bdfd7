package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (a *app) configCommand() *cobra.Command {
	return parent("config", "Describe and change settings, and explain them",
		a.configDescribeCommand(), a.configAlterCommand(), a.configDocsCommand())
}

// resource is what settings belong to: a topic, a broker, all brokers, a group.
type resource struct {
	kind string // "topic", "broker", "group", "client-metrics"
	name string // "" with broker: the default of all
}

// resourceArgs are the arguments that name a resource.
const resourceArgs = "topic NAME | broker [ID] | group NAME | client-metrics NAME"

func parseResource(args []string) (resource, error) {
	r := resource{kind: args[0]}
	if len(args) > 1 {
		r.name = args[1]
	}
	switch {
	case !slices.Contains([]string{"topic", "broker", "group", "client-metrics"}, r.kind):
		return r, usage("%q has no settings; they belong to %s", r.kind, resourceArgs)
	case r.kind != "broker" && r.name == "":
		return r, usage("which %s? Give its name", r.kind)
	case r.kind == "broker" && r.name != "":
		if _, err := strconv.ParseInt(r.name, 10, 32); err != nil {
			return r, usage("%q is no broker's number", r.name)
		}
	}
	return r, nil
}

func (r resource) String() string {
	if r.kind == "broker" && r.name == "" {
		return "all brokers"
	}
	return strings.ReplaceAll(r.kind, "-", " ") + " " + r.name
}

func (r resource) code() kmsg.ConfigResourceType {
	switch r.kind {
	case "topic":
		return kmsg.ConfigResourceTypeTopic
	case "broker":
		return kmsg.ConfigResourceTypeBroker
	case "group":
		return kmsg.ConfigResourceTypeGroupConfig
	}
	return kmsg.ConfigResourceTypeClientMetrics
}

func (a *app) resourceNames(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return []string{"topic", "broker", "group", "client-metrics"}, cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && args[0] == "topic":
		return a.topicNames(c, nil, prefix)
	case len(args) == 1 && args[0] == "group":
		return a.groupNames(c, nil, prefix)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
