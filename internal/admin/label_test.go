package admin

import "testing"

func TestALabelOfAnyBytesIsWhatPrometheusReads(t *testing.T) {
	for value, want := range map[string]string{
		"orders":         `"orders"`,
		`back\slash "q"`: `"back\\slash \"q\""`,
		"two\nlines":     `"two\nlines"`,
		"tab\tand\x01":   "\"tab\tand\x01\"",
		"größer":         `"größer"`,
		"\xff\xfe":       "\"\uFFFD\uFFFD\"",
	} {
		if got := string(appendLabel(nil, value)); got != want {
			t.Errorf("%q is written as %s, not %s", value, got, want)
		}
	}
}
