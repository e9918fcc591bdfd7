package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// report is everything that a run of the command found.
type report struct {
	Date      time.Time
	Commit    string
	Go        string
	Machine   map[string]string
	Options   options
	Workloads []*result
}

// result is what one workload gave.
type result struct {
	Name, Title string
	Runs        map[string][]sample // by broker
}

func newReport(o options) *report {
	return &report{Date: time.Now().UTC(), Commit: commit(), Go: runtime.Version(), Machine: machine(), Options: o}
}

// commit names what is measured, with a mark if files differ from it.
func commit() string {
	git := exec.CommandContext(context.Background(), "git", "describe", "--always", "--dirty")
	git.Dir = kafkatest.Root()
	out, err := git.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// line is one figure of a result.
type line struct {
	figure             string
	ours, theirs, both spread
	verdicts           []string
}

// lines puts the runs of both brokers together, figure by figure.
func (r *result) lines(judge bool) []line {
	var out []line
	for i, name := range r.figureNames() {
		ours, theirs := r.values("barnabas", i), r.values("kafka", i)
		l := line{figure: name, ours: spreadOf(ours), theirs: spreadOf(theirs), both: spreadOf(ratios(ours, theirs))}
		for _, b := range bars() {
			if judge && b.Workload == r.Name && b.Figure == name {
				l.verdicts = append(l.verdicts, l.verdict(b))
			}
		}
		out = append(out, l)
	}
	return out
}

func (r *result) figureNames() []string {
	var names []string
	for _, runs := range r.Runs {
		for _, f := range runs[0] {
			names = append(names, f.Name)
		}
		return names
	}
	return nil
}

func (r *result) values(broker string, figure int) []float64 {
	var out []float64
	for _, s := range r.Runs[broker] {
		out = append(out, s[figure].Value)
	}
	return out
}

// verdict says what the bar is and whether it is reached.
func (l line) verdict(b bar) string {
	sign, unit := "≤", ""
	if b.AtLeast {
		sign = "≥"
	}
	if b.Ratio {
		unit = "x"
	}
	text := sign + " " + number(b.Limit) + unit
	value := l.ours.Median
	if b.Ratio {
		value = l.both.Median
	}
	switch {
	case math.IsNaN(value):
		return text + " not measured"
	case b.reached(l.ours, l.both):
		return text + " pass"
	}
	return text + " FAIL"
}

// number writes three digits that matter.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return ""
	case a >= 100 || a == math.Trunc(a):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func (s spread) String() string {
	if math.IsNaN(s.Median) {
		return ""
	}
	if s.Least == s.Largest {
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Least), number(s.Largest))
}

// print writes a table for a terminal.
func (r *result) print(out io.Writer, judge bool) {
	fmt.Fprintf(out, "%s: %s\n", r.Name, r.Title)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\t\tBarnabas\tKafka\tratio\t")
	for _, l := range r.lines(judge) {
		fmt.Fprintf(t, "\t%s\t%s\t%s\t%s\t%s\n", l.figure, l.ours, l.theirs, l.both, strings.Join(l.verdicts, ", "))
	}
	_ = t.Flush()
	fmt.Fprintln(out)
}

// markdown writes the same for RESULTS.md.
func (r *report) markdown(out io.Writer) {
	fmt.Fprintf(out, "# Barnabas beside Apache Kafka 4.4\n\n")
	fmt.Fprintf(out, "Written by `go run ./bench` on %s, at commit %s with %s.\n", r.Date.Format("2006-01-02"), r.Commit, r.Go)
	for _, key := range slices.Sorted(maps.Keys(r.Machine)) {
		fmt.Fprintf(out, "%s: %s. ", key, r.Machine[key])
	}
	o := r.Options
	fmt.Fprintf(out, "\n%d passes to warm, then %d pairs; %s GB a produce or fetch run, %s the others; acks=%d, %d connections, %d requests in flight, %d MiB of heap for Kafka; memory touched before: %t.\n\n",
		o.Warm, o.Pairs, number(float64(o.Bytes)/1e9), o.Duration, o.Acks, o.Connections, o.InFlight, o.HeapMB, o.Touch)
	fmt.Fprintln(out, "Each cell has the median, and the least and the largest in parentheses. The ratio is Barnabas to Kafka, run by run. "+
		"CPU is what the broker's process took. Client and brokers share the processors, so the CPU is the judge, not the rate.")
	for _, w := range r.Workloads {
		fmt.Fprintf(out, "\n## %s: %s\n\n| | Barnabas | Kafka | ratio | bar |\n|---|---|---|---|---|\n", w.Name, w.Title)
		for _, l := range w.lines(!o.Quick) {
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", l.figure, l.ours, l.theirs, l.both, strings.Join(l.verdicts, "; "))
		}
	}
}

// write leaves RESULTS.md and results.json, which has every run, in a directory.
func (r *report) write(dir string) error {
	if dir == "" {
		return nil
	}
	var text strings.Builder
	r.markdown(&text)
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(text.String()), 0o644),
		os.WriteFile(filepath.Join(dir, "results.json"), append(data, '\n'), 0o644),
	)
}
