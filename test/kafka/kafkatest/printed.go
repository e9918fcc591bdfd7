package kafkatest

import (
	"regexp"
	"strings"
	"testing"
)

// Wants checks that each of the patterns is found in what a tool printed; a space in a pattern stands for any white space.
func Wants(t *testing.T, printed string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + strings.ReplaceAll(p, " ", `\s+`)).MatchString(printed) {
			t.Errorf("%q is not in what was printed:\n%s", p, printed)
		}
	}
}

// HasNot checks that a text is not in what a tool printed.
func HasNot(t *testing.T, printed string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(printed, text) {
			t.Errorf("%q is in what was printed:\n%s", text, printed)
		}
	}
}
