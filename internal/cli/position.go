package cli

import (
	"strconv"
	"strings"
	"time"
)

// position is a place in a partition, as people name it.
type position struct {
	kind  positionKind
	value int64 // offset, milliseconds, or records before the end
}

type positionKind uint8

const (
	atBeginning positionKind = iota
	atEnd
	atOffset
	atTime
	beforeEnd
)

// positionForms are what parsePosition takes, for help.
const positionForms = "beginning, end, an offset, -N for the last N records of each partition, a time (2026-11-22T10:00:00Z, @milliseconds) or how long ago (1h30m)"

func parsePosition(text string) (position, error) {
	switch text {
	case "beginning", "start", "earliest":
		return position{kind: atBeginning}, nil
	case "end", "latest":
		return position{kind: atEnd}, nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil {
		if offset < 0 {
			return position{beforeEnd, -offset}, nil
		}
		return position{atOffset, offset}, nil
	}
	if ms, found := strings.CutPrefix(text, "@"); found {
		if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
			return position{atTime, n}, nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if moment, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return position{atTime, moment.UnixMilli()}, nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return position{atTime, time.Now().Add(-ago).UnixMilli()}, nil
	}
	return position{}, usage("%q is no position; give %s", text, positionForms)
}
