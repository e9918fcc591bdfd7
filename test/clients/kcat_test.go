//go:build suite

package clients

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kcat is librdkafka. Options are handed on to every call, to make an old client of it.
type kcat struct {
	broker  string
	options []string
}

const kcatLimit = time.Minute

// Delimiters that no record holds. kcat cuts its input at these, so that keys and values may be any bytes.
const (
	keyEnd    = "\x02<-key|"
	recordEnd = "\x02<-end|"
)

func startKcat(options ...string) func(*testing.T, string) adapter {
	return func(_ *testing.T, address string) adapter { return kcat{address, options} }
}

func (k kcat) command(input []byte, args ...string) ([]byte, error) {
	args = append([]string{"-b", k.broker}, args...)
	for _, o := range k.options {
		args = append(args, "-X", o)
	}
	return command(kcatLimit, input, "kcat", args...)
}

// produce calls kcat for each run of records that one call can send: headers, and whether empty means null, are options of
// the call. The records of a run keep their order, and so do the runs.
func (k kcat) produce(topic, codec string, idempotent bool, records []record) error {
	for len(records) > 0 {
		style := kcatStyle(records[0])
		n := slices.IndexFunc(records, func(r record) bool { return kcatStyle(r) != style })
		if n < 0 {
			n = len(records)
		}
		args := []string{"-P", "-t", topic, "-p", "0", "-z", codec, "-K", keyEnd, "-D", recordEnd, "-X", "linger.ms=20", "-X", "acks=all"}
		if idempotent {
			args = append(args, "-X", "enable.idempotence=true")
		}
		if style.emptyIsNull {
			args = append(args, "-Z")
		}
		for _, h := range records[0].Headers {
			text := h.Name
			if h.Value != nil {
				text += "=" + string(h.Value)
			}
			args = append(args, "-H", text)
		}
		var input bytes.Buffer
		for _, r := range records[:n] {
			if r.Key != nil || style.emptyIsNull {
				input.Write(r.Key)
				input.WriteString(keyEnd)
			}
			input.Write(r.Value)
			input.WriteString(recordEnd)
		}
		if _, err := k.command(input.Bytes(), args...); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// A style is what records sent by one call of kcat have in common.
type style struct {
	headers     string
	emptyIsNull bool
}

func kcatStyle(r record) style {
	return style{headers: headerText(r.Headers), emptyIsNull: r.Value == nil || r.Key == nil && len(r.Value) > 0}
}

// kcatCan says whether kcat can send a record at all: a null beside an empty one, or a lone empty value, is not among what
// its options say, and an equals sign ends a header's name.
func kcatCan(r record) bool {
	null, empty := r.Key == nil || r.Value == nil, r.Key != nil && len(r.Key) == 0 || r.Value != nil && len(r.Value) == 0
	for _, h := range r.Headers {
		if strings.Contains(h.Name, "=") {
			return false
		}
	}
	return !(null && empty)
}

// kcatOrder puts records that one call can send beside each other, so that a few calls do.
func kcatOrder(records []record) []record {
	return slices.SortedStableFunc(slices.Values(records), func(a, b record) int {
		x, y := kcatStyle(a), kcatStyle(b)
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}

// kcatFormat prints a record so that it can be read back: lengths first, -1 for null.
const kcatFormat = "%K %S %T %o %k%s%h" + `\n` + "<-end|"

func (k kcat) consume(topic string, count int) ([]record, error) {
	out, err := k.command(nil, "-C", "-q", "-t", topic, "-p", "0", "-o", "beginning", "-c", strconv.Itoa(count), "-f", kcatFormat)
	if err != nil {
		return nil, err
	}
	return parseKcat(out)
}

func (k kcat) group(topic, group string, count int) ([]record, error) {
	out, err := k.command(nil, "-q", "-c", strconv.Itoa(count), "-f", kcatFormat,
		"-X", "auto.offset.reset=earliest", "-X", "partition.assignment.strategy=range", "-G", group, topic)
	if err != nil {
		return nil, err
	}
	return parseKcat(out)
}

// parseKcat reads what kcatFormat printed.
func parseKcat(out []byte) ([]record, error) {
	var records []record
	for len(out) > 0 {
		var n [4]int64 // lengths of key and value, timestamp, offset
		for i := range n {
			field, rest, found := bytes.Cut(out, []byte(" "))
			v, err := strconv.ParseInt(string(field), 10, 64)
			if !found || err != nil {
				return records, fmt.Errorf("kcat's output, record %d: %q", len(records), out[:min(len(out), 60)])
			}
			n[i], out = v, rest
		}
		r := record{Timestamp: n[2], Offset: n[3]}
		for i, p := range []*[]byte{&r.Key, &r.Value} {
			if n[i] >= 0 && n[i] <= int64(len(out)) {
				*p, out = append([]byte{}, out[:n[i]]...), out[n[i]:]
			}
		}
		text, rest, found := bytes.Cut(out, []byte("\n<-end|"))
		if !found {
			return records, fmt.Errorf("kcat's output, record %d does not end: %q", len(records), out[:min(len(out), 60)])
		}
		r.headerText, out = string(text), rest
		records = append(records, r)
	}
	return records, nil
}

// headerText is how kcat prints headers.
func headerText(headers []header) string {
	var parts []string
	for _, h := range headers {
		value := "NULL"
		if h.Value != nil {
			value = string(h.Value)
		}
		parts = append(parts, h.Name+"="+value)
	}
	return strings.Join(parts, ",")
}
