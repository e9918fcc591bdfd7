package config

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"

	"github.com/magiconair/properties"
)

// Source is one place that settings come from before the broker starts.
type Source struct {
	Name   string            // for messages: "server.properties", "environment"
	Values map[string]string // by setting
	kind   sourceKind
}

type sourceKind uint8

const (
	sourceText sourceKind = iota
	sourceFile
	sourceMachine
	sourceEnvironment
)

// FromMap is a source of given settings.
func FromMap(name string, values map[string]string) Source {
	return Source{Name: name, Values: maps.Clone(values)}
}

// maxPropertiesBytes bounds a properties file; Kafka's own sample has 6 KB.
const maxPropertiesBytes = 4 << 20

// FromFile reads a Java properties file. Values are taken literally: nothing is expanded.
func FromFile(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, err
	}
	if info.Size() > maxPropertiesBytes {
		return Source{}, fmt.Errorf("%s: %d bytes are more than the %d that a properties file may have", path, info.Size(), maxPropertiesBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Source{}, err
	}
	return FromProperties(path, text)
}

// FromProperties reads the text of a Java properties file.
func FromProperties(name string, text []byte) (Source, error) {
	loader := &properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	p, err := loader.LoadBytes(text)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", name, err)
	}
	return Source{Name: name, Values: p.Map(), kind: sourceFile}, nil
}

// environmentPrefix begins the environment variables that are settings.
const environmentPrefix = "BARNABAS_"

// FromEnvironment reads settings from variables such as BARNABAS_LOG_RETENTION_HOURS
// (log.retention.hours). Variables of the command line's own are left out, and those in which
// Kubernetes tells every container of a Service that happens to be named barnabas.
func FromEnvironment(environ []string) Source {
	values := map[string]string{}
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		name, found := strings.CutPrefix(variable, environmentPrefix)
		if !found || name == "" || variable == EnvBootstrapServer {
			continue
		}
		setting := environmentName(name)
		if serviceLink.MatchString(variable) && !isBroker(setting) {
			continue
		}
		values[setting] = value
	}
	return Source{Name: "environment", Values: values, kind: sourceEnvironment}
}

// serviceLink matches the variables of a Kubernetes Service: BARNABAS_SERVICE_HOST, BARNABAS_PORT_9092_TCP_ADDR …
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// EnvBootstrapServer is the variable with the address that commands connect to. It is no setting.
const EnvBootstrapServer = "BARNABAS_BOOTSTRAP_SERVER"

// environmentName finds the setting of a variable: Kafka's, else ours without its prefix, so
// that BARNABAS_LOG_LEVEL is barnabas.log.level.
func environmentName(variable string) string {
	name := strings.ReplaceAll(strings.ToLower(variable), "_", ".")
	if _, found := Lookup(Broker, name); found {
		return name
	}
	if own := "barnabas." + name; isBroker(own) {
		return own
	}
	return name
}

func isBroker(name string) bool {
	_, found := Lookup(Broker, name)
	return found
}

// variableOf is the environment variable of a setting.
func variableOf(name string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(name, "barnabas."), ".", "_"))
}

// FromAssignments reads name=value pairs as they are given to --set.
func FromAssignments(assignments []string) (Source, error) {
	values := map[string]string{}
	for _, assignment := range assignments {
		name, value, found := strings.Cut(assignment, "=")
		if !found || strings.TrimSpace(name) == "" {
			return Source{}, fmt.Errorf("--set %q does not have the form name=value", assignment)
		}
		values[strings.TrimSpace(name)] = value
	}
	return Source{Name: "--set", Values: values}, nil
}
