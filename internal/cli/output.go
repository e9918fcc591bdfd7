package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
)

// print writes a command's result: as JSON the value, else whatever table writes.
func (a *app) print(value any, fill func(t *table)) error {
	if a.format == "json" {
		encoder := json.NewEncoder(a.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	t := &table{w: tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)}
	fill(t)
	return t.w.Flush()
}

// table writes rows in aligned columns.
type table struct{ w *tabwriter.Writer }

func (t *table) row(cells ...any) {
	texts := make([]string, 0, len(cells))
	for _, cell := range cells {
		texts = append(texts, cellText(cell))
	}
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(texts, "\t"), "\t"))
}

// line writes text across all columns.
func (t *table) line(format string, args ...any) {
	_ = t.w.Flush()
	fmt.Fprintf(t.w, format+"\n", args...)
	_ = t.w.Flush()
}

func cellText(cell any) string {
	switch v := cell.(type) {
	case []int32:
		texts := make([]string, 0, len(v))
		for _, n := range v {
			texts = append(texts, strconv.Itoa(int(n)))
		}
		return dash(strings.Join(texts, ","))
	case []string:
		return dash(strings.Join(v, ","))
	case *string:
		if v == nil {
			return "-"
		}
		return dash(*v)
	case *int64:
		if v == nil {
			return "-"
		}
		return strconv.FormatInt(*v, 10)
	case string:
		return dash(v)
	}
	return fmt.Sprint(cell)
}

// dash stands for nothing, so that columns can be cut by programs.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// say writes a remark for people beside the result.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.Stderr, format+"\n", args...)
}

// sizeText writes a number of bytes for people.
func sizeText(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefixes := float64(bytes)/unit, "kMGTPE"
	for value >= unit && len(prefixes) > 1 {
		value, prefixes = value/unit, prefixes[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, prefixes[0])
}

// plural writes a number with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
