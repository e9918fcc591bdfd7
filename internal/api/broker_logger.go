package api

import (
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rootLogger is the one logger whose level can be changed while the broker runs. It acts on this broker at once and is
// forgotten when it stops.
const rootLogger = "root"

// logLevels are Kafka's names of levels. No message of ours is at TRACE or FATAL: they are all and none of them, and are
// described as they were set.
var logLevels = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo}, {"WARN", slog.LevelWarn},
	{"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
}

func logLevel(name string) (slog.Level, bool) {
	for _, l := range logLevels {
		if l.name == name {
			return l.level, true
		}
	}
	return 0, false
}

func nameOfLevel(level slog.Level) string {
	for _, l := range logLevels {
		if l.level == level {
			return l.name
		}
	}
	return level.String()
}

// alterLoggers sets levels as IncrementalAlterConfigs asks, all or none of them.
func (b *Broker) alterLoggers(resource *kmsg.IncrementalAlterConfigsRequestResource, validateOnly bool) error {
	if err := b.isThisBroker(resource.ResourceName); err != nil {
		return err
	}
	for i := range resource.Configs {
		change := &resource.Configs[i]
		if change.Op != kmsg.IncrementalAlterConfigOpSet && change.Op != kmsg.IncrementalAlterConfigOpDelete {
			return fmt.Errorf("operation %d does not apply to loggers: %w", change.Op, kerr.InvalidRequest)
		}
		if change.Name != rootLogger || b.LogLevel == nil {
			return fmt.Errorf("there is no logger %q, only %q: %w", change.Name, rootLogger, kerr.InvalidConfig)
		}
		if change.Op == kmsg.IncrementalAlterConfigOpDelete {
			return fmt.Errorf("the level of logger %q can be set, not removed: %w", rootLogger, kerr.InvalidRequest)
		}
		if _, known := logLevel(*change.Value); !known {
			return fmt.Errorf("log level %q is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL: %w", *change.Value, kerr.InvalidConfig)
		}
	}
	if validateOnly {
		return nil
	}
	for i := range resource.Configs {
		level, _ := logLevel(*resource.Configs[i].Value)
		b.LogLevel.Set(level)
		b.Logger.Warn("log level was changed", "level", level)
	}
	return nil
}
