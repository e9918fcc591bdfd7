package config

import (
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CheckTopic checks one value of one topic setting, in Kafka's words.
func CheckTopic(name, value string) error {
	row, found := Lookup(Topic, name)
	if !found {
		return unknownOf(Topic, name)
	}
	_, err := row.parse(value)
	return err
}

func unknownOf(scope Scope, name string) error {
	if scope == ClientMetrics {
		return invalidRequest(whole("Unknown client metrics configuration: %s", name))
	}
	return whole("Unknown %s config name: %s", scope, name)
}

// CheckTopicConfigs checks everything that is to be set for a topic, alone and together
// with what the topic inherits from the broker. Errors are Kafka's INVALID_CONFIG.
func CheckTopicConfigs(broker *Values, configs map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		if err := CheckTopic(name, configs[name]); err != nil {
			return err
		}
	}
	return checkTopicTogether(TopicValues(broker, configs))
}

func checkTopicTogether(v *Values) error {
	least, most := TopicMinCompactionLagMs.Of(v), TopicMaxCompactionLagMs.Of(v)
	if least > most {
		return whole("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", least, most)
	}
	if row, _ := Lookup(Topic, "remote.storage.enable"); v.parsed[Topic][row.index] == true {
		return whole("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}

// CheckBrokerConfigs checks everything that is to be set dynamically for one broker, or for all
// when perBroker is false. Kafka takes names that it does not know. Errors are its
// INVALID_REQUEST.
func CheckBrokerConfigs(broker *Values, configs map[string]string, perBroker bool) error {
	return invalidRequest(checkBrokerConfigs(broker, configs, perBroker))
}

func invalidRequest(err error) error {
	if problem, is := errors.AsType[*ValueError](err); is {
		problem.InvalidRequest = true
	}
	return err
}

func checkBrokerConfigs(broker *Values, configs map[string]string, perBroker bool) error {
	names := slices.Sorted(maps.Keys(configs))
	if err := checkBrokerNames(names, perBroker); err != nil {
		return err
	}
	for _, name := range names {
		row, found := brokerRow(name)
		if !found {
			continue
		}
		value, err := row.parse(configs[name])
		if err != nil {
			return err
		}
		if row.Status == Refused && !row.isDefault(value) {
			return whole("%s is refused: %s", name, row.Why)
		}
	}
	return checkBrokerTogether(broker, configs, perBroker)
}

// brokerRow finds the row of a setting, be it for one listener.
func brokerRow(name string) (*Row, bool) {
	if _, base, found := baseName(name); found {
		name = base
	}
	return Lookup(Broker, name)
}

func checkBrokerNames(names []string, perBroker bool) error {
	var readOnly, needListener, needBroker []string
	for _, name := range names {
		row, exact := Lookup(Broker, name)
		switch {
		case exact && row.Update == ReadOnly:
			readOnly = append(readOnly, name)
		case exact && listenerOnly(name):
			needListener = append(needListener, name)
		case exact && row.Update == PerBroker, strings.HasPrefix(name, "listener.name.") && !clusterLevel(name):
			needBroker = append(needBroker, name)
		}
	}
	switch {
	case len(readOnly) > 0:
		return together("Cannot update these configs dynamically", readOnly)
	case len(needListener) > 0:
		return together("These security configs can be dynamically updated only per-listener using the listener prefix", needListener)
	case len(needBroker) > 0 && !perBroker:
		return together("Cannot update these configs at default cluster level, broker id must be specified", needBroker)
	}
	return nil
}

func together(text string, names []string) error {
	return whole("%s: [%s]", text, strings.Join(names, ", "))
}

// listenerOnly reports the TLS settings, which change for one listener at a time.
func listenerOnly(name string) bool {
	row, found := Lookup(Broker, name)
	return found && strings.HasPrefix(name, "ssl.") && row.Update == PerBroker && name != "ssl.client.auth"
}

// clusterLevel reports listener settings that may be set for all brokers at once.
func clusterLevel(name string) bool {
	_, base, _ := baseName(name)
	return base == "max.connections" || base == "max.connection.creation.rate" || base == "num.network.threads"
}

func checkBrokerTogether(broker *Values, configs map[string]string, perBroker bool) error {
	clusterDefault, own := broker.layers.dynamicDefault, broker.layers.dynamicBroker
	if perBroker {
		own = configs
	} else {
		clusterDefault = configs
	}
	changed, problems := broker.WithDynamic(clusterDefault, own)
	if len(problems) > 0 {
		return problems[0]
	}
	if err := checkThreads(broker, changed); err != nil {
		return err
	}
	if len(broker.network.controllers) > 0 && len(changed.network.controllers) == 0 {
		return whole("requirement failed: listeners must keep an address of controller.listener.names")
	}
	for _, dir := range splitList(configs["cordoned.log.dirs"]) {
		if dir != "*" && !slices.Contains(changed.LogDirs(), dir) {
			return whole("requirement failed: %s in cordoned.log.dirs is none of log.dirs", dir)
		}
	}
	return nil
}

// CheckGroupConfigs checks everything that is to be set for a group. Errors are Kafka's
// INVALID_CONFIG.
func CheckGroupConfigs(broker *Values, configs map[string]string) error {
	if err := checkAlone(Group, configs); err != nil {
		return err
	}
	return checkGroupTogether(broker, configs)
}

// CheckClientMetricsConfigs checks everything that is to be set for a client metrics
// subscription. Errors are Kafka's INVALID_CONFIG, or INVALID_REQUEST where they say so.
func CheckClientMetricsConfigs(configs map[string]string) error {
	if err := checkAlone(ClientMetrics, configs); err != nil {
		return err
	}
	text, found := configs["interval.ms"]
	if interval, err := strconv.Atoi(strings.TrimSpace(text)); found && (err != nil || interval < 100 || interval > 3600000) {
		return invalidRequest(whole("Invalid value %s for interval.ms, interval must be between 100 and 3600000 (1 hour)", text))
	}
	return checkMatches(splitList(configs["match"]))
}

// checkMatches checks client selectors of the form <attribute>=<regular expression>.
func checkMatches(patterns []string) error {
	attributes := []string{"client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"}
	for _, pattern := range patterns {
		attribute, expression, found := strings.Cut(pattern, "=")
		if !found || !slices.Contains(attributes, strings.TrimSpace(attribute)) {
			return whole("Illegal client matching pattern: %s", pattern)
		}
		if _, err := regexp.Compile(strings.TrimSpace(expression)); err != nil {
			return whole("Illegal client matching pattern: %s", pattern)
		}
	}
	return nil
}

func checkAlone(scope Scope, configs map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		if _, found := Lookup(scope, name); !found {
			return unknownOf(scope, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		row, _ := Lookup(scope, name)
		if _, err := row.parse(configs[name]); err != nil {
			return err
		}
	}
	return nil
}

// checkThreads refuses to more than double or halve a number of threads at once, as Kafka does:
// most are not needed here, but scripts that step up to a number must find the same steps.
func checkThreads(before, after *Values) error {
	for _, name := range []string{"num.io.threads", "num.network.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir", "background.threads", "log.cleaner.threads"} {
		was, is := before.number(Broker, name), after.number(Broker, name)
		problem := ""
		switch {
		case is == was:
		case is <= 0:
			problem = "value should be at least 1"
		case is < math.Floor(was/2):
			problem = "value should be at least half the current value " + formatBound(was)
		case is > was*2:
			problem = "value should not be greater than double the current value " + formatBound(was)
		}
		if problem != "" {
			return whole("Dynamic thread count update validation failed for %s=%s, %s", name, formatBound(is), problem)
		}
	}
	return nil
}
