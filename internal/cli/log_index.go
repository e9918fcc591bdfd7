package cli

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
)

// checkIndex holds an index beside the segment against it. An index may be shorter than the
// segment, never wrong: readers start where it says.
func (d *dump) checkIndex(extension string, entrySize int, check func(entry []byte, previous []byte) string) {
	file := strings.TrimSuffix(d.file, ".log") + extension
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		d.problem("%v", err)
		return
	}
	var previous []byte
	entries := 0
	for len(content) >= entrySize {
		entry := content[:entrySize]
		content = content[entrySize:]
		if len(bytes.Trim(entry, "\x00")) == 0 {
			break // space that was taken in advance: no real entry is zero
		}
		if problem := check(entry, previous); problem != "" {
			d.problem("%s, entry %d: %s", file, entries, problem)
		}
		previous = entry
		entries++
	}
	if d.app.format != "json" {
		fmt.Fprintf(d.app.Stdout, "  %s: entries %d\n", strings.TrimPrefix(extension, "."), entries)
	}
}

// checkOffsetEntry checks that a batch with the offset begins at the position.
func (d *dump) checkOffsetEntry(entry, previous []byte) string {
	offset := baseOffset(d.file) + int64(binary.BigEndian.Uint32(entry))
	position := int64(binary.BigEndian.Uint32(entry[4:]))
	if previous != nil && bytes.Compare(entry[:4], previous[:4]) <= 0 {
		return "its offset is not above the one before"
	}
	i := sort.Search(len(d.places), func(i int) bool { return d.places[i].position >= position })
	switch {
	case i == len(d.places) || d.places[i].position != position:
		return "no batch begins where it says"
	case offset < d.places[i].base || offset > d.places[i].last:
		return "the batch where it says does not hold its offset"
	}
	return ""
}

// checkTimeEntry checks that nothing up to the offset is later than the timestamp, and that
// timestamps do not go back.
func (d *dump) checkTimeEntry(entry, previous []byte) string {
	timestamp := int64(binary.BigEndian.Uint64(entry))
	offset := baseOffset(d.file) + int64(binary.BigEndian.Uint32(entry[8:]))
	if previous != nil && timestamp < int64(binary.BigEndian.Uint64(previous)) {
		return "its timestamp is before that of the entry before"
	}
	i := sort.Search(len(d.places), func(i int) bool { return d.places[i].last > offset })
	if i > 0 && d.places[i-1].latest > timestamp {
		return "a record up to its offset is later than its timestamp"
	}
	return ""
}
