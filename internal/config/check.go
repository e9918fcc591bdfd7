package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Check restricts the values of a setting beyond its type. The zero Check allows all.
type Check struct {
	// Allowed describes the values, in Kafka's notation: "[1,...]", "[compact, delete]".
	Allowed string
	// problem returns what is wrong with a parsed value, in Kafka's words, or "".
	problem func(name string, value any) string
	// plain marks problems that stand alone, without "Invalid value … for configuration".
	plain bool
}

func atLeast(least float64) Check {
	text := formatBound(least)
	return Check{
		Allowed: "[" + text + ",...]",
		problem: func(_ string, value any) string {
			if number(value) < least {
				return "Value must be at least " + text
			}
			return ""
		},
	}
}

func between(least, most float64) Check {
	low, high := formatBound(least), formatBound(most)
	return Check{
		Allowed: "[" + low + ",...," + high + "]",
		problem: func(_ string, value any) string {
			switch n := number(value); {
			case n < least:
				return "Value must be at least " + low
			case n > most:
				return "Value must be no more than " + high
			}
			return ""
		},
	}
}

// oneOf allows the named strings, exactly.
func oneOf(names ...string) Check {
	return Check{
		Allowed: "[" + strings.Join(names, ", ") + "]",
		problem: func(_ string, value any) string {
			if !slices.Contains(names, value.(string)) {
				return "String must be one of: " + strings.Join(names, ", ")
			}
			return ""
		},
	}
}

// oneOfFold allows the named strings in any case.
func oneOfFold(names ...string) Check {
	return Check{
		Allowed: "(case insensitive) [" + strings.Join(names, ", ") + "]",
		problem: func(_ string, value any) string {
			if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, value.(string)) }) {
				return "String must be one of (case insensitive): " + strings.Join(names, ", ")
			}
			return ""
		},
	}
}

// listOf allows lists of the named strings; without names, lists of any.
func listOf(emptyAllowed bool, names ...string) Check {
	allowed := ""
	if len(names) > 0 {
		allowed = "[" + strings.Join(names, ", ") + "]"
	}
	return Check{Allowed: allowed, plain: true, problem: func(name string, value any) string {
		return listProblem(name, value.([]string), emptyAllowed, names)
	}}
}

func listProblem(name string, values []string, emptyAllowed bool, names []string) string {
	if len(values) == 0 && !emptyAllowed {
		valid := "any non-empty value"
		if len(names) > 0 {
			valid = "[" + strings.Join(names, ", ") + "]"
		}
		return fmt.Sprintf("Configuration '%s' must not be empty. Valid values include: %s", name, valid)
	}
	for _, value := range values {
		if value == "" {
			return fmt.Sprintf("Configuration '%s' values must not be empty.", name)
		}
		if len(names) > 0 && !slices.Contains(names, value) {
			return fmt.Sprintf("Invalid value %s for configuration %s: String must be one of: %s", value, name, strings.Join(names, ", "))
		}
	}
	return ""
}

func nonEmptyString() Check {
	return Check{Allowed: "non-empty string", problem: func(_ string, value any) string {
		if value.(string) == "" {
			return "String must be non-empty"
		}
		return ""
	}}
}

// gzipLevel allows 1 to 9, and -1 for the codec's own choice.
func gzipLevel() Check {
	return Check{Allowed: "[1,...,9] or -1", problem: func(_ string, value any) string {
		if n := number(value); n != -1 && (n < 1 || n > 9) {
			return "Value must be between 1 and 9 or equal to -1"
		}
		return ""
	}}
}

// throttledReplicas allows "*" or partition:broker pairs.
func throttledReplicas() Check {
	const form = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
	pair := regexp.MustCompile(`^\d+:\d+$`)
	return Check{Allowed: form, problem: func(name string, value any) string {
		list := value.([]string)
		if len(list) == 0 || slices.Equal(list, []string{"*"}) {
			return ""
		}
		for _, entry := range list {
			if !pair.MatchString(entry) {
				return name + " must be the literal '*' or a list of replicas in the following format: " + form
			}
		}
		return ""
	}}
}

// offsetReset allows latest, earliest and by_duration with an ISO 8601 duration.
func offsetReset() Check {
	duration := regexp.MustCompile(`^P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$`)
	return Check{
		Allowed: "[latest, earliest, by_duration:PnDTnHnMn.nS]",
		problem: func(name string, value any) string {
			text := strings.ToLower(value.(string))
			if text == "latest" || text == "earliest" {
				return ""
			}
			span, found := strings.CutPrefix(text, "by_duration:")
			if found && duration.MatchString(strings.ToUpper(span)) && !strings.HasSuffix(span, "t") && len(span) > 1 {
				return ""
			}
			return fmt.Sprintf("Invalid value `%s` for configuration %s. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.", value, name)
		},
	}
}

// number returns a parsed number for comparison; Kafka compares as doubles too.
func number(value any) float64 {
	switch n := value.(type) {
	case int16:
		return float64(n)
	case int32:
		return float64(n)
	case int64:
		return float64(n)
	case float64:
		return n
	}
	panic(fmt.Sprintf("config: %v (%T) is no number", value, value))
}

func formatBound(bound float64) string {
	if bound == float64(int64(bound)) {
		return fmt.Sprintf("%d", int64(bound))
	}
	return formatDouble(bound)
}
