//go:build suite

package oracle

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const root = "root"

// withLevel runs a conversation from a level of the root logger on, and puts back the one that the broker had.
func withLevel(level string, talk func(t *Talk)) func(t *Talk) {
	return func(t *Talk) {
		before := "INFO"
		for _, c := range t.Must(describing(4, ofLogger, "1", root)).(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
			before = *c.Value
		}
		defer func() { t.Must(altering(1, ofLogger, "1", change{root, set, before})) }()
		t.Must(altering(1, ofLogger, "1", change{root, set, level}))
		talk(t)
	}
}

func aboutLoggers() []conversation {
	return []conversation{
		// Kafka 3.9, which serves version 0, needs an older log4j than there is here.
		byItself(since(kmsg.DescribeConfigs, 1, "loggers", withLevel("WARN", func(t *Talk) {
			t.Ask("root", describing(t.Version, ofLogger, "1", root))
			t.Ask("an unknown one", describing(t.Version, ofLogger, "1", "no.such.logger"))
			bare := describing(t.Version, ofLogger, "1", root)
			bare.IncludeSynonyms, bare.IncludeDocumentation = false, false
			t.Ask("without synonyms and documentation", bare)
			// Kafka has one for each of its classes that it has come by.
			all := t.Must(describing(t.Version, ofLogger, "1")).(*kmsg.DescribeConfigsResponse).Resources[0].Configs
			t.Note("others than root", len(all) > 1)
		}))),
		byItself(every(kmsg.IncrementalAlterConfigs, "the root logger", withLevel("WARN", func(t *Talk) {
			ask := func(step string, changes ...change) {
				t.Ask(step, altering(t.Version, ofLogger, "1", changes...))
				t.Ask(step+": then", describing(4, ofLogger, "1", root))
			}
			for _, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF", "ALL", "info", " INFO", "LOUD", "", "<null>"} {
				ask(fmt.Sprintf("set %q", level), change{root, set, level})
			}
			ask("append", change{root, extend, "INFO"})
			ask("subtract", change{root, subtract, "INFO"})
			ask("remove", change{root, remove, "<null>"})
			ask("operation 9", change{root, 9, "INFO"})
			ask("twice", change{root, set, "INFO"}, change{root, set, "WARN"})
			ask("an unknown one", change{"no.such.logger", set, "INFO"})
			ask("remove an unknown one", change{"no.such.logger", remove, "<null>"})
			ask("a good and an unknown one", change{root, set, "INFO"}, change{"no.such.logger", set, "INFO"})
			ask("no name", change{"", set, "INFO"})
			ask("nothing")
			validated := altering(t.Version, ofLogger, "1", change{root, set, "INFO"})
			validated.ValidateOnly = true
			t.Ask("validate only", validated)
			ask("set at last", change{root, set, "ERROR"})
		}))),
	}
}
