package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

type produceFlags struct {
	keySeparator string
	headers      []string
	null         string
	compression  string
	acks         string
	partition    int32
	format       string
}

// Limits of produce: the longest line, and how much waits to be sent.
const (
	maxLineBytes     = 128 << 20
	maxWaitingRecord = 100_000
	maxWaitingBytes  = 64 << 20
)

func (a *app) produceCommand() *cobra.Command {
	f := produceFlags{}
	c := &cobra.Command{
		Use:   "produce TOPIC [FILE...]",
		Short: "Put lines of files, or of the standard input, into a topic",
		Long: `Put each line of files, or of the standard input, into a topic as a record.

With --key-separator, what stands before it is the record's key. With --format json, lines are
records as 'barnabas consume --format json' prints them, with keys, headers and null values.`,
		Example: `  barnabas produce words words.txt
  echo 'user1:hello' | barnabas produce chat --key-separator :
  barnabas produce logs big.log --compression zstd --acks 1
  barnabas consume a --format json --from beginning --exit-at-end | barnabas produce b --format json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.topicThenFiles,
		RunE: func(c *cobra.Command, args []string) error {
			return a.produce(c.Context(), args[0], args[1:], f)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&f.keySeparator, "key-separator", "K", "", `what stands between a line's key and its value; \t is a tab`)
	flags.StringArrayVarP(&f.headers, "headers", "H", nil, "a header of all records, as `name=value`; may be repeated")
	flags.StringVar(&f.null, "null", "", "a `value` that means null")
	flags.StringVarP(&f.compression, "compression", "z", "none", "`codec`: none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&f.acks, "acks", "all", "who must have a record before it counts: `all` replicas in sync, 1 (the leader) or 0 (nobody)")
	flags.Int32VarP(&f.partition, "partition", "p", -1, "`number` of the partition; by key, or spread, if not given")
	flags.StringVarP(&f.format, "format", "f", "lines", "what a line is: `lines` or json")
	return c
}

func (a *app) topicThenFiles(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.topicNames(c, args, prefix)
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func (a *app) produce(ctx context.Context, topic string, files []string, f produceFlags) error {
	parse, err := f.parser()
	if err != nil {
		return err
	}
	options, err := f.options(topic)
	if err != nil {
		return err
	}
	client, err := a.connect(ctx, options...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p := &producing{client: client, parse: parse, fail: fail, progress: a.watch("produced")}
	err = p.files(ctx, a.Stdin, files)
	if err == nil {
		err = client.Flush(ctx)
	}
	p.progress.stop()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w (%s acknowledged before)", topic, err, plural(p.progress.records.Load(), "record"))
	}
	return a.printProduced(topic, p.progress)
}

func (a *app) printProduced(topic string, p *progress) error {
	if a.format == "json" {
		return a.print(map[string]any{"topic": topic, "records": p.records.Load(), "bytes": p.bytes.Load()}, nil)
	}
	a.say("produced %s to %s", p, topic)
	return nil
}

func (f produceFlags) options(topic string) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.DefaultProduceTopic(topic),
		kgo.MaxBufferedRecords(maxWaitingRecord),
		kgo.MaxBufferedBytes(maxWaitingBytes),
		kgo.UnknownTopicRetries(1),
	}
	codec, found := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[f.compression]
	if !found {
		return nil, usage("--compression %s: it must be none, gzip, snappy, lz4 or zstd", f.compression)
	}
	options = append(options, kgo.ProducerBatchCompression(codec))
	switch f.acks {
	case "all", "-1":
		options = append(options, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, usage("--acks %s: it must be all, 1 or 0", f.acks)
	}
	if f.partition >= 0 {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return options, nil
}

// producing is one run of produce.
type producing struct {
	client   *kgo.Client
	parse    func(line []byte) (*kgo.Record, error)
	fail     context.CancelCauseFunc
	progress *progress
}

// files puts in the lines of the files, or of the standard input.
func (p *producing) files(ctx context.Context, stdin io.Reader, files []string) error {
	if len(files) == 0 {
		return p.lines(ctx, "line", stdin)
	}
	for _, name := range files {
		if name == "-" {
			if err := p.lines(ctx, "line", stdin); err != nil {
				return err
			}
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		err = p.lines(ctx, name+", line", file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (p *producing) lines(ctx context.Context, where string, r io.Reader) error {
	lines := lineReader{r: bufio.NewReaderSize(r, 1<<20)}
	for n := 1; ; n++ {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s %d: %w", where, n, err)
		}
		record, err := p.parse(line)
		if err != nil {
			return fmt.Errorf("%s %d: %w", where, n, err)
		}
		size := len(record.Key) + len(record.Value)
		p.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				p.fail(fmt.Errorf("%s %d: %w", where, n, err))
				return
			}
			p.progress.add(size)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// lineReader cuts lines into memory that is never reused, since records keep it.
type lineReader struct {
	r    *bufio.Reader
	slab []byte
}

const slabBytes = 1 << 20

// next returns the next line without its end, a last one without an end too.
func (l *lineReader) next() ([]byte, error) {
	var long []byte
	for {
		part, err := l.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, part...); len(long) > maxLineBytes {
				return nil, fmt.Errorf("it is longer than %d bytes", maxLineBytes)
			}
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case err != nil && len(part)+len(long) == 0:
			return nil, io.EOF
		}
		if len(part) > 0 && part[len(part)-1] == '\n' {
			part = part[:len(part)-1]
		}
		if long != nil {
			return append(long, part...), nil
		}
		return l.keep(part), nil
	}
}

func (l *lineReader) keep(line []byte) []byte {
	if len(l.slab) < len(line) {
		l.slab = make([]byte, max(slabBytes, len(line)))
	}
	kept := l.slab[:len(line):len(line)]
	copy(kept, line)
	l.slab = l.slab[len(line):]
	return kept
}

// parser returns what makes a record of a line.
func (f produceFlags) parser() (func([]byte) (*kgo.Record, error), error) {
	headers, err := f.parseHeaders()
	if err != nil {
		return nil, err
	}
	finish := func(record *kgo.Record) *kgo.Record {
		record.Headers = append(record.Headers, headers...)
		if f.partition >= 0 {
			record.Partition = f.partition
		}
		return record
	}
	switch f.format {
	case "json":
		return func(line []byte) (*kgo.Record, error) {
			record, err := parseJSONRecord(line)
			if err != nil {
				return nil, err
			}
			return finish(record), nil
		}, nil
	case "lines":
		separator := unescape(f.keySeparator)
		return func(line []byte) (*kgo.Record, error) {
			record, err := f.split(line, separator)
			if err != nil {
				return nil, err
			}
			return finish(record), nil
		}, nil
	}
	return nil, usage("--format %s: it must be lines or json", f.format)
}

func (f produceFlags) split(line []byte, separator string) (*kgo.Record, error) {
	record := &kgo.Record{Value: line}
	if separator != "" {
		i := strings.Index(string(line), separator)
		if i < 0 {
			return nil, fmt.Errorf("it has no key: %q is not in it", separator)
		}
		record.Key, record.Value = line[:i], line[i+len(separator):]
	}
	if f.null != "" && string(record.Value) == f.null {
		record.Value = nil
	}
	return record, nil
}

func (f produceFlags) parseHeaders() ([]kgo.RecordHeader, error) {
	headers := make([]kgo.RecordHeader, 0, len(f.headers))
	for _, pair := range f.headers {
		name, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, usage("--headers %q does not have the form name=value", pair)
		}
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return headers, nil
}

// unescape reads what shells make hard to type.
func unescape(text string) string {
	return strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\0`, "\x00", `\\`, `\`).Replace(text)
}
