package cli

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// maxDumpBatchBytes is the largest batch that is read into memory; a larger length is taken for damage.
const maxDumpBatchBytes = 512 << 20

func (a *app) logDumpCommand() *cobra.Command {
	var records bool
	c := &cobra.Command{
		Use:   "dump FILE|FOLDER...",
		Short: "Print segment files batch by batch, and check them and their indexes",
		Long: `Print the batches of segment files (*.log), check each batch's checksum and records, and
hold the offset and time index beside each segment against it. A folder stands for all its
segments. The exit code is 1 when something is wrong.`,
		Example: `  barnabas log dump ~/.local/share/barnabas/words-0
  barnabas log dump words-0/00000000000000000000.log --records
  barnabas log dump words-0 -o json          # a line a batch`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.dumpLogs(args, records) },
	}
	c.Flags().BoolVarP(&records, "records", "r", false, "print the records too")
	return c
}

func (a *app) dumpLogs(paths []string, records bool) error {
	files, err := segmentFiles(paths)
	if err != nil {
		return err
	}
	problems := 0
	progress := a.watchPrinting("checked")
	defer progress.stop()
	for _, file := range files {
		d := &dump{app: a, file: file, records: records, progress: progress}
		if err := d.run(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		problems += d.problems
	}
	if problems > 0 {
		return fmt.Errorf("%s found", plural(int64(problems), "problem"))
	}
	return nil
}

// segmentFiles lists the segments meant: files as they are, folders by what is in them.
func segmentFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			if filepath.Ext(path) != ".log" {
				return nil, fmt.Errorf("%s is no segment; name a .log file or a partition's folder", path)
			}
			files = append(files, path)
			continue
		}
		inside, err := filepath.Glob(filepath.Join(path, "*.log"))
		if err != nil {
			return nil, err
		}
		if len(inside) == 0 {
			return nil, fmt.Errorf("%s holds no segments; name the folder of one partition, such as %s", path, filepath.Join(path, "words-0"))
		}
		slices.Sort(inside)
		files = append(files, inside...)
	}
	return files, nil
}

// dumpedBatch is a batch as it is printed.
type dumpedBatch struct {
	File          string       `json:"file"`
	Position      int64        `json:"position"`
	Size          int          `json:"size"`
	BaseOffset    int64        `json:"base_offset"`
	LastOffset    int64        `json:"last_offset"`
	Records       int32        `json:"records"`
	LeaderEpoch   int32        `json:"leader_epoch"`
	Magic         int8         `json:"magic"`
	Codec         string       `json:"codec"`
	MaxTimestamp  time.Time    `json:"max_timestamp"`
	LogAppendTime bool         `json:"log_append_time"`
	ProducerID    int64        `json:"producer_id"`
	ProducerEpoch int16        `json:"producer_epoch"`
	BaseSequence  int32        `json:"base_sequence"`
	Transactional bool         `json:"transactional"`
	Control       bool         `json:"control"`
	Problem       string       `json:"problem,omitempty"`
	Content       []jsonRecord `json:"content,omitempty"`
}

// place is what the indexes are held against.
type place struct {
	position, base, last int64
	latest               int64 // the largest timestamp up to here
}

// dump is the printing of one segment.
type dump struct {
	app      *app
	file     string
	records  bool
	problems int
	places   []place
	progress *progress
}

func (d *dump) run() error {
	file, err := os.Open(d.file)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if d.app.format != "json" {
		fmt.Fprintf(d.app.Stdout, "%s, %s\n", d.file, sizeText(info.Size()))
	}
	position, next := int64(0), baseOffset(d.file)
	for position < info.Size() {
		b, err := readBatch(file, position, info.Size())
		if err != nil {
			d.problem("at position %d: %v; %d bytes behind it were not read", position, err, info.Size()-position)
			break
		}
		h, err := d.batch(b, position, next)
		if err != nil {
			return err
		}
		latest := h.MaxTimestamp
		if n := len(d.places); n > 0 {
			latest = max(latest, d.places[n-1].latest)
		}
		d.places = append(d.places, place{position, h.BaseOffset, h.LastOffset(), latest})
		position, next = position+int64(len(b)), h.NextOffset()
		d.progress.records.Add(int64(h.NumRecords))
		d.progress.bytes.Add(int64(len(b)))
	}
	d.checkIndex(".index", 8, d.checkOffsetEntry)
	d.checkIndex(".timeindex", 12, d.checkTimeEntry)
	return nil
}

func baseOffset(file string) int64 {
	var base int64
	_, _ = fmt.Sscanf(filepath.Base(file), "%d.log", &base)
	return base
}

// readBatch reads the batch at a position, whole.
func readBatch(file *os.File, position, size int64) ([]byte, error) {
	head := make([]byte, batch.LogOverhead)
	if size-position < int64(len(head)) {
		return nil, errors.New("half a batch, as a crash leaves it")
	}
	if _, err := file.ReadAt(head, position); err != nil {
		return nil, err
	}
	length := int64(int32(binary.BigEndian.Uint32(head[8:])))
	whole := length + batch.LogOverhead
	switch {
	case length <= 0 || whole > maxDumpBatchBytes:
		return nil, fmt.Errorf("no batch: a length of %d", length)
	case whole > size-position:
		return nil, errors.New("half a batch, as a crash leaves it")
	}
	b := make([]byte, whole)
	_, err := file.ReadAt(b, position)
	return b, err
}

// batch prints one batch and checks it. next is the first offset that may follow.
func (d *dump) batch(b []byte, position, next int64) (batch.Header, error) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return d.oldBatch(b, position)
	}
	shown := dumpedBatch{
		File: d.file, Position: position, Size: len(b), BaseOffset: h.BaseOffset, LastOffset: h.LastOffset(), Records: h.NumRecords,
		LeaderEpoch: h.LeaderEpoch, Magic: h.Magic, Codec: h.Codec().String(), MaxTimestamp: time.UnixMilli(h.MaxTimestamp).UTC(), LogAppendTime: h.LogAppendTime(),
		ProducerID: h.ProducerID, ProducerEpoch: h.ProducerEpoch, BaseSequence: h.BaseSequence, Transactional: h.Transactional(), Control: h.Control(),
	}
	err = batch.CheckCRC(b)
	if err == nil {
		shown.Content, err = d.content(b)
	}
	if err == nil && h.BaseOffset < next {
		err = fmt.Errorf("offset %d comes after %d", h.BaseOffset, next-1)
	}
	if err != nil {
		shown.Problem = err.Error()
		d.problems++
	}
	return h, d.print(shown)
}

// oldBatch prints a message of a format before version 2.
func (d *dump) oldBatch(b []byte, position int64) (batch.Header, error) {
	h := batch.Header{BaseOffset: int64(binary.BigEndian.Uint64(b)), Length: int32(len(b) - batch.LogOverhead), MaxTimestamp: -1}
	shown := dumpedBatch{File: d.file, Position: position, Size: len(b), BaseOffset: h.BaseOffset, LastOffset: h.BaseOffset, Codec: "-", ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
	magic, err := batch.PeekMagic(b)
	shown.Magic = magic
	if err == nil {
		shown.Content, err = d.content(b)
		shown.Records = 1
	}
	if err != nil {
		shown.Problem = err.Error()
		d.problems++
	}
	return h, d.print(shown)
}

// content decodes the records, and keeps them if they are to be printed.
func (d *dump) content(b []byte) ([]jsonRecord, error) {
	var kept []jsonRecord
	for r, err := range batch.Records(b, maxDumpBatchBytes) {
		if err != nil {
			return kept, err
		}
		if !d.records {
			continue
		}
		record := &kgo.Record{Offset: r.Offset, Timestamp: time.UnixMilli(r.Timestamp), Key: r.Key, Value: r.Value}
		for _, header := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(header.Key), Value: header.Value})
		}
		shown := newJSONRecord(record)
		shown.Partition = nil
		kept = append(kept, shown)
	}
	return kept, nil
}

func (d *dump) print(b dumpedBatch) error {
	if d.app.format == "json" {
		encoder := json.NewEncoder(d.app.Stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(b)
	}
	fmt.Fprintf(d.app.Stdout, "  offsets %d-%d at %d, %d bytes, %s, epoch %d, %s, %s%s\n", b.BaseOffset, b.LastOffset, b.Position, b.Size,
		plural(int64(b.Records), "record"), b.LeaderEpoch, b.Codec, b.MaxTimestamp.Format(time.RFC3339Nano), b.marks())
	for _, r := range b.Content {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.app.Stdout, "    %s\n", line)
	}
	if b.Problem != "" {
		fmt.Fprintf(d.app.Stdout, "    WRONG: %s\n", b.Problem)
	}
	return nil
}

func (b dumpedBatch) marks() string {
	var marks strings.Builder
	if b.Magic != batch.MagicCurrent {
		fmt.Fprintf(&marks, ", format %d", b.Magic)
	}
	if b.ProducerID >= 0 {
		fmt.Fprintf(&marks, ", producer %d epoch %d sequence %d", b.ProducerID, b.ProducerEpoch, b.BaseSequence)
	}
	if b.Transactional {
		marks.WriteString(", transactional")
	}
	if b.Control {
		marks.WriteString(", control")
	}
	if b.LogAppendTime {
		marks.WriteString(", append time")
	}
	return marks.String()
}

func (d *dump) problem(format string, args ...any) {
	d.problems++
	if d.app.format == "json" {
		d.app.say("%s: %s", d.file, fmt.Sprintf(format, args...))
		return
	}
	fmt.Fprintf(d.app.Stdout, "  WRONG: %s\n", fmt.Sprintf(format, args...))
}
