package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Secret is the value of a password setting. It prints as Kafka prints it: hidden.
type Secret string

// String hides the secret.
func (s Secret) String() string { return "[hidden]" }

// ValueError says that a setting cannot have a value. Its text is Kafka's, which tools show.
type ValueError struct {
	Name    string
	Value   string
	Problem string
	Plain   bool // Problem is a whole sentence
	// InvalidRequest marks what Kafka answers with INVALID_REQUEST instead of INVALID_CONFIG.
	InvalidRequest bool
}

func (e *ValueError) Error() string {
	if e.Plain {
		return e.Problem
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", e.Value, e.Name, e.Problem)
}

// whole makes a ValueError that is a sentence of its own.
func whole(format string, args ...any) error {
	return &ValueError{Problem: fmt.Sprintf(format, args...), Plain: true}
}

// parse reads a value in Kafka's notation and checks it. The result is of the row's
// Go type: bool, string, int32, int16, int64, float64, []string or Secret.
func (r *Row) parse(text string) (any, error) {
	value, problem := parseType(r.Type, strings.TrimSpace(text))
	if problem != "" {
		return nil, &ValueError{Name: r.Name, Value: text, Problem: problem}
	}
	if r.Check.problem != nil {
		problem = r.Check.problem(r.Name, value)
	}
	if problem != "" {
		return nil, &ValueError{Name: r.Name, Value: show(value), Problem: problem, Plain: r.Check.plain}
	}
	return value, nil
}

// show writes a value as messages show it: lists in brackets, secrets hidden.
func show(value any) string {
	switch v := value.(type) {
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case Secret:
		return v.String()
	}
	return format(value)
}

func parseType(t Type, text string) (any, string) {
	switch t {
	case Boolean:
		switch strings.ToLower(text) {
		case "true":
			return true, ""
		case "false":
			return false, ""
		}
		return nil, "Expected value to be either true or false"
	case Short, Int, Long:
		return parseInteger(t, text)
	case Double:
		return parseDouble(text)
	case List:
		return splitList(text), ""
	case Password:
		return Secret(text), ""
	default:
		return text, ""
	}
}

func parseInteger(t Type, text string) (any, string) {
	bits := map[Type]int{Short: 16, Int: 32, Long: 64}[t]
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return nil, "Not a number of type " + t.String()
	}
	switch t {
	case Short:
		return int16(n), ""
	case Int:
		return int32(n), ""
	}
	return n, ""
}

// parseDouble takes what Java takes, apart from hexadecimal, infinity and what is not a
// number: no setting means anything with these.
func parseDouble(text string) (any, string) {
	number := strings.TrimRight(text, "dDfF")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || strings.ContainsAny(number, "_xXiI") {
		return nil, "Not a number of type DOUBLE"
	}
	return n, ""
}

// splitList cuts at commas and drops repetitions, as Kafka does.
func splitList(text string) []string {
	list := []string{}
	if text == "" {
		return list
	}
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); !slices.Contains(list, entry) {
			list = append(list, entry)
		}
	}
	return list
}

// format writes a parsed value in Kafka's notation.
func format(value any) string {
	switch v := value.(type) {
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case int16:
		return strconv.FormatInt(int64(v), 10)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatDouble(v)
	case []string:
		return strings.Join(v, ",")
	case Secret:
		return string(v)
	}
	panic(fmt.Sprintf("config: no notation for %T", value))
}

// formatDouble writes a double as Java does: 0.5, 1.0E7, 1.7976931348623157E308.
func formatDouble(f float64) string {
	if size := math.Abs(f); size == 0 || size >= 1e-3 && size < 1e7 {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	power, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(power)
}
