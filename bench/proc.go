package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of /proc/PID/stat, USER_HZ, which is 100 on every architecture that Go knows.
const ticksPerSecond = 100

// cpuTime is what all threads of a process, those that ended included, have taken of the processors so far.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPUTime(string(text))
}

// parseCPUTime adds utime and stime, fields 14 and 15. The second field is the command in parentheses and may hold
// anything.
func parseCPUTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of a process has %d fields behind the command", len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / ticksPerSecond), errors.Join(err1, err2)
}

// residentBytes is how much memory of a process is in use (VmRSS).
func residentBytes(pid int) (int64, error) {
	return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
}

// kilobytes reads one line of a file of the form "Name:   123 kB".
const (
	// settledFor is how long a process's memory must not have shrunk to count as settled, and settledBy when it is looked at anyway.
	settledFor = 6 * time.Second
	settledBy  = 30 * time.Second
)

// settledBytes is the least of residentBytes by the time that the process has given back what it needed for its start.
func settledBytes(ctx context.Context, pid int) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, settledBy)
	defer cancel()
	look := time.NewTicker(settledFor / 10)
	defer look.Stop()
	least, since := int64(math.MaxInt64), time.Now()
	for {
		now, err := residentBytes(pid)
		if err != nil {
			return 0, err
		}
		if now < least {
			least, since = now, time.Now()
		}
		if time.Since(since) >= settledFor {
			return least, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return least, nil
		}
	}
}

func kilobytes(file, name string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == name {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// openDescriptors counts the files and sockets that a process has open.
func openDescriptors(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// diskUsage adds up the sizes of the files below a directory. Files that vanish meanwhile do not count.
func diskUsage(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // Gone.
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

// machine describes this machine for the report.
func machine() map[string]string {
	m := map[string]string{}
	m["processors"] = fmt.Sprintf("%d x %s", strings.Count(readAll("/proc/cpuinfo"), "processor\t"), firstValue("/proc/cpuinfo", "model name"))
	if memory, err := kilobytes("/proc/meminfo", "MemTotal:"); err == nil {
		m["memory"] = fmt.Sprintf("%.1f GiB", float64(memory)/(1<<30))
	}
	m["kernel"] = strings.TrimSpace(readAll("/proc/sys/kernel/osrelease"))
	return m
}

func readAll(file string) string {
	b, _ := os.ReadFile(file) // What is not there is not in the report.
	return string(b)
}

func firstValue(file, name string) string {
	for line := range strings.Lines(readAll(file)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
