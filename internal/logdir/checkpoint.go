package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// checkpointVersion is the first line of Kafka's offset checkpoints, which have never had another.
const checkpointVersion = "0"

var errCheckpoint = errors.New("malformed checkpoint")

// encodeCheckpoint renders offsets as Kafka does: version, count, then `topic partition offset` a line. Sorted, so that
// equal contents are equal bytes.
func encodeCheckpoint(offsets map[key]int64) []byte {
	keys := make([]key, 0, len(offsets))
	for k := range offsets {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	b := make([]byte, 0, 16+32*len(keys))
	b = append(b, checkpointVersion+"\n"...)
	b = append(strconv.AppendInt(b, int64(len(keys)), 10), '\n')
	for _, k := range keys {
		b = append(append(b, k.topic...), ' ')
		b = append(strconv.AppendInt(b, int64(k.partition), 10), ' ')
		b = append(strconv.AppendInt(b, offsets[k], 10), '\n')
	}
	return b
}

func compareKeys(a, b key) int {
	if c := strings.Compare(a.topic, b.topic); c != 0 {
		return c
	}
	return int(a.partition) - int(b.partition)
}

// decodeCheckpoint reads what encodeCheckpoint or Kafka wrote. An empty file is an empty checkpoint (Kafka creates it so).
// Anything else that is not whole is an error: half a checkpoint would pass for partitions without one.
func decodeCheckpoint(b []byte) (map[key]int64, error) {
	if len(b) == 0 {
		return nil, nil
	}
	version, rest := cutLine(b)
	if version != checkpointVersion {
		return nil, fmt.Errorf("%w: version %.20q", errCheckpoint, version)
	}
	countLine, rest := cutLine(rest)
	count, err := strconv.Atoi(countLine)
	if err != nil || count < 0 {
		return nil, fmt.Errorf("%w: count %.20q", errCheckpoint, countLine)
	}
	offsets := make(map[key]int64, min(count, len(rest)/len("t 0 0\n")+1))
	lines := 0
	for len(rest) > 0 {
		var line string
		line, rest = cutLine(rest)
		k, offset, err := parseCheckpointLine(line)
		if err != nil {
			return nil, err
		}
		offsets[k] = offset
		lines++
	}
	if lines != count {
		return nil, fmt.Errorf("%w: %d entries, %d announced", errCheckpoint, lines, count)
	}
	return offsets, nil
}

func parseCheckpointLine(line string) (key, int64, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return key{}, 0, fmt.Errorf("%w: line %.60q", errCheckpoint, line)
	}
	partition, err := strconv.ParseInt(fields[1], 10, 32)
	if err != nil || partition < 0 {
		return key{}, 0, fmt.Errorf("%w: partition in line %.60q", errCheckpoint, line)
	}
	offset, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return key{}, 0, fmt.Errorf("%w: offset in line %.60q", errCheckpoint, line)
	}
	if err := checkTopic(fields[0]); err != nil {
		return key{}, 0, fmt.Errorf("%w: %w", errCheckpoint, err)
	}
	return key{fields[0], int32(partition)}, offset, nil
}

func cutLine(b []byte) (line string, rest []byte) {
	l, rest, _ := bytes.Cut(b, []byte{'\n'})
	return string(bytes.TrimSuffix(l, []byte{'\r'})), rest
}

// readCheckpoint returns an empty map for a file that does not exist.
func readCheckpoint(fsys vfs.FS, dir, name string) (map[key]int64, error) {
	b, err := vfs.ReadFile(fsys, filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return map[key]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	offsets, err := decodeCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return offsets, nil
}
