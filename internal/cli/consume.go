package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

type consumeFlags struct {
	from       string
	group      string
	count      int64
	exitAtEnd  bool
	partitions []int32
	format     string
	separator  string
	null       string
	isolation  string
}

func (a *app) consumeCommand() *cobra.Command {
	var f consumeFlags
	c := &cobra.Command{
		Use:   "consume TOPIC...",
		Short: "Print the records of topics",
		Long: `Print the records of topics, a line each, until it is interrupted or --count or
--exit-at-end says so.

Formats: 'value' prints values, 'key' keys and values, 'json' everything, each record in one
line. Where a key or a value is null, the text of --null stands in its place.`,
		Example: `  barnabas consume words                                # new records as they come
  barnabas consume words --from beginning --exit-at-end > words.txt
  barnabas consume words --from -10 --format json       # the last ten of each partition
  barnabas consume words --from 2026-11-22T10:00:00Z --count 1
  barnabas consume orders --group billing --from beginning`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.topicNames,
		RunE:              func(c *cobra.Command, args []string) error { return a.consume(c.Context(), args, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.from, "from", "end", "`where` to begin: "+positionForms+"; with --group, where it has committed nothing")
	flags.StringVarP(&f.group, "group", "g", "", "consume as a member of this `group`, and commit what was printed")
	flags.Int64VarP(&f.count, "count", "n", 0, "stop after this `number` of records")
	flags.BoolVarP(&f.exitAtEnd, "exit-at-end", "e", false, "stop at what is the end now")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "these `partitions` only")
	flags.StringVarP(&f.format, "format", "f", "value", "what to print: value, key or json")
	flags.StringVarP(&f.separator, "key-separator", "K", `\t`, "what to print between key and value")
	flags.StringVar(&f.null, "null", "NULL", "what to print for null")
	flags.StringVar(&f.isolation, "isolation", "read_committed", "`level`: read_committed hides records of open and aborted transactions, read_uncommitted shows them")
	return c
}

func (f consumeFlags) check() error {
	switch {
	case f.format != "value" && f.format != "key" && f.format != "json":
		return usage("--format %s: it must be value, key or json", f.format)
	case f.isolation != "read_committed" && f.isolation != "read_uncommitted":
		return usage("--isolation %s: it must be read_committed or read_uncommitted", f.isolation)
	case f.group != "" && len(f.partitions) > 0:
		return usage("--partition and --group: a group assigns partitions by itself")
	case f.count < 0:
		return usage("--count %d: it must not be negative", f.count)
	}
	return nil
}

func (a *app) consume(ctx context.Context, topics []string, f consumeFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	from, err := parsePosition(f.from)
	if err != nil {
		return err
	}
	if a.format == "json" {
		f.format = "json"
	}
	var plan *consumePlan
	err = a.admin(ctx, func(ctx context.Context, admin *admin) error {
		plan, err = planConsume(ctx, admin, topics, from, f)
		return err
	})
	if err != nil || plan.reached() {
		return err
	}
	client, err := a.connect(ctx, plan.options(topics, f)...)
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriterSize(a.Stdout, 1<<16)
	c := &consuming{client: client, plan: plan, print: f.printer(out), flags: f, progress: a.watchPrinting("consumed")}
	err = c.run(ctx, out)
	c.progress.stop()
	if err = errors.Join(err, out.Flush()); err != nil && !errors.Is(err, errInterrupted) {
		return err
	}
	if f.group != "" {
		return errors.Join(err, c.commit())
	}
	return err
}

// printer returns what writes a record.
func (f consumeFlags) printer(w io.Writer) func(*kgo.Record) error {
	if f.format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return func(r *kgo.Record) error { return encoder.Encode(newJSONRecord(r)) }
	}
	orNull := func(b []byte) []byte {
		if b == nil {
			return []byte(f.null)
		}
		return b
	}
	separator := unescape(f.separator)
	return func(r *kgo.Record) error {
		line := make([]byte, 0, len(r.Key)+len(r.Value)+len(separator)+1)
		if f.format == "key" {
			line = append(append(line, orNull(r.Key)...), separator...)
		}
		line = append(append(line, orNull(r.Value)...), '\n')
		_, err := w.Write(line)
		return err
	}
}

// consuming is one run of consume.
type consuming struct {
	client *kgo.Client
	plan   *consumePlan
	print  func(*kgo.Record) error
	flags  consumeFlags
	count  int64

	progress *progress
}

// errEnough ends the run: as many records as asked for are printed.
var errEnough = errors.New("enough")

func (c *consuming) run(ctx context.Context, out *bufio.Writer) error {
	for !c.plan.reached() {
		fetches := c.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return errInterrupted
		}
		var problem error
		fetches.EachError(func(topic string, partition int32, err error) {
			problem = errors.Join(problem, fmt.Errorf("%s-%d: %w", topic, partition, err))
		})
		if problem != nil {
			return problem
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			if err := c.take(iter.Next()); errors.Is(err, errEnough) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (c *consuming) take(r *kgo.Record) error {
	if beyond := c.plan.passed(r); beyond {
		return nil // behind what was the end when the command began
	}
	if !r.Attrs.IsControl() {
		if err := c.print(r); err != nil {
			return err
		}
		c.count++
		c.progress.add(len(r.Key) + len(r.Value))
	}
	if c.flags.group != "" {
		c.client.MarkCommitRecords(r)
	}
	if c.flags.count > 0 && c.count == c.flags.count {
		return errEnough
	}
	return nil
}

// commit commits what was printed, interrupted or not.
func (c *consuming) commit() error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := c.client.CommitMarkedOffsets(ctx); err != nil {
		return fmt.Errorf("group %s: what was printed could not be committed: %w", c.flags.group, err)
	}
	return nil
}
