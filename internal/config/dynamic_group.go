package config

import (
	"slices"
	"strings"
)

// groupBound is a group setting with the broker settings that bound it: a number between
// two, at most one, or at least one.
type groupBound struct{ name, least, most string }

func groupBounds() []groupBound {
	return []groupBound{
		{"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
		{"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
		{"consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"},
		{"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
		{"share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"},
		{"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
		{"share.delivery.count.limit", "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit"},
		{"share.partition.max.record.locks", "group.share.min.partition.max.record.locks", "group.share.max.partition.max.record.locks"},
		{"share.assignment.interval.ms", "group.share.min.assignment.interval.ms", "group.share.max.assignment.interval.ms"},
		{"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"},
		{"streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"},
		{"streams.num.standby.replicas", "", "group.streams.max.standby.replicas"},
		{"streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms", "group.streams.max.assignment.interval.ms"},
		{"streams.task.offset.interval.ms", "group.streams.min.task.offset.interval.ms", ""},
		{"streams.num.warmup.replicas", "", "group.streams.max.warmup.replicas"},
	}
}

// checkGroupTogether holds a group's settings against the broker's bounds and against each other.
func checkGroupTogether(broker *Values, configs map[string]string) error {
	if tags, found := configs["streams.rack.aware.assignment.tags"]; found && hasRepetition(tags) {
		return whole("streams.rack.aware.assignment.tags must not contain duplicate tag keys.")
	}
	v := GroupValues(broker, configs)
	for _, bound := range groupBounds() {
		if _, found := configs[bound.name]; !found {
			continue
		}
		if err := bound.check(v); err != nil {
			return err
		}
	}
	if name, found := configs["streams.assignor.name"]; found {
		if known := v.list("group.streams.assignors"); !slices.Contains(known, name) {
			return whole("streams.assignor.name '%s' is not a registered task assignor. Registered assignors are: [%s].", name, strings.Join(known, ", "))
		}
	}
	for _, kind := range []string{"consumer", "share", "streams"} {
		if err := checkSession(v, configs, kind+".session.timeout.ms", kind+".heartbeat.interval.ms"); err != nil {
			return err
		}
	}
	if strings.HasPrefix(configs["errors.deadletterqueue.topic.name"], "__") {
		return whole("errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'")
	}
	return nil
}

func (b groupBound) check(v *Values) error {
	value := v.number(Group, b.name)
	switch {
	case b.least != "" && b.most != "":
		if least, most := v.number(Broker, b.least), v.number(Broker, b.most); value < least || value > most {
			return whole("%s must be in the range %s to %s inclusive.", b.name, formatBound(least), formatBound(most))
		}
	case b.most != "":
		if most := v.number(Broker, b.most); value > most {
			return whole("%s must be less than or equal to %s", b.name, formatBound(most))
		}
	default:
		if least := v.number(Broker, b.least); value < least {
			return whole("%s must be greater than or equal to %s", b.name, formatBound(least))
		}
	}
	return nil
}

func checkSession(v *Values, configs map[string]string, session, heartbeat string) error {
	_, sessionSet := configs[session]
	_, heartbeatSet := configs[heartbeat]
	if (sessionSet || heartbeatSet) && v.number(Group, session) <= v.number(Group, heartbeat) {
		return whole("%s must be greater than %s", session, heartbeat)
	}
	return nil
}

func hasRepetition(list string) bool {
	return strings.TrimSpace(list) != "" && len(splitList(list)) != strings.Count(list, ",")+1
}

// number reads a number that has no handle, because nothing but these checks acts on it.
func (v *Values) number(scope Scope, name string) float64 {
	row, found := Lookup(scope, name)
	if !found {
		panic("config: no setting is called " + name)
	}
	return number(v.parsed[scope][row.index])
}

func (v *Values) list(name string) []string {
	row, found := Lookup(Broker, name)
	if !found {
		panic("config: no setting is called " + name)
	}
	return v.parsed[Broker][row.index].([]string)
}
