package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func readLines(t *testing.T, text string, buffer int) []string {
	t.Helper()
	l := lineReader{r: bufio.NewReaderSize(strings.NewReader(text), buffer)}
	var kept [][]byte
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, line)
	}
	lines := make([]string, 0, len(kept))
	for _, line := range kept {
		lines = append(lines, string(line))
	}
	return lines
}

func TestLinesAreCutAtTheirEndsAndKeepTheirBytes(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	for text, want := range map[string][]string{
		"":                       {},
		"\n":                     {""},
		"a":                      {"a"},
		"a\n":                    {"a"},
		"a\r\n\n b ":             {"a\r", "", " b "},
		long + "\nx\n" + long:    {long, "x", long},
		"\x00\xff\n":             {"\x00\xff"},
		strings.Repeat("y\n", 9): slices.Repeat([]string{"y"}, 9),
	} {
		for _, buffer := range []int{16, 4096} {
			if got := readLines(t, text, buffer); !slices.Equal(got, want) {
				t.Errorf("%.20q is cut into %.40q", text, got)
			}
		}
	}
}

func TestALinesKeyValueAndNullAreToldApart(t *testing.T) {
	for _, c := range []struct {
		flags      produceFlags
		line, want string
	}{
		{produceFlags{format: "lines"}, "a:b", `key <nil> value "a:b"`},
		{produceFlags{format: "lines", keySeparator: ":"}, "a:b:c", `key "a" value "b:c"`},
		{produceFlags{format: "lines", keySeparator: `\t`}, "a\t", `key "a" value ""`},
		{produceFlags{format: "lines", keySeparator: ":", null: "NIL"}, "a:NIL", `key "a" value <nil>`},
		{produceFlags{format: "lines", keySeparator: ":"}, "ab", `it has no key: ":" is not in it`},
	} {
		parse, err := c.flags.parser()
		if err != nil {
			t.Fatal(err)
		}
		record, err := parse([]byte(c.line))
		if got := shown(record, err); got != c.want {
			t.Errorf("%+v makes of %q %s", c.flags, c.line, got)
		}
	}
}

func shown(record *kgo.Record, err error) string {
	if err != nil {
		return err.Error()
	}
	text := func(b []byte) string {
		if b == nil {
			return "<nil>"
		}
		return fmt.Sprintf("%q", b)
	}
	return "key " + text(record.Key) + " value " + text(record.Value)
}

func TestHeadersArePutOnEveryRecord(t *testing.T) {
	parse, err := produceFlags{format: "lines", headers: []string{"a=1", "b="}, partition: 4}.parser()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		record, err := parse([]byte("x"))
		if err != nil || len(record.Headers) != 2 || record.Headers[1].Value == nil || record.Partition != 4 {
			t.Errorf("it is %+v, %v", record, err)
		}
	}
}

func TestPositionsArePeoples(t *testing.T) {
	for text, want := range map[string]position{
		"beginning":              {kind: atBeginning},
		"end":                    {kind: atEnd},
		"0":                      {atOffset, 0},
		"1500":                   {atOffset, 1500},
		"-10":                    {beforeEnd, 10},
		"@1764000000123":         {atTime, 1764000000123},
		"2025-11-24T16:00:00Z":   {atTime, 1764000000000},
		"2025-11-24T17:00+01:00": {},
	} {
		got, err := parsePosition(text)
		if text == "2025-11-24T17:00+01:00" {
			if err == nil {
				t.Errorf("%s is %v", text, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	if p, err := parsePosition("1h30m"); err != nil || p.kind != atTime {
		t.Errorf("1h30m is %v, %v", p, err)
	}
}

func TestSizesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 72_700_000: "72.7 MB", 1 << 60: "1.2 EB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
