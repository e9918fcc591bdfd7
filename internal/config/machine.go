package config

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// FromMachine gives the defaults that depend on the machine and its user: the data
// directory, and how many bytes of requests may be in work. They describe as defaults.
func FromMachine() Source {
	values := map[string]string{}
	if dir := userDataDir(); dir != "" {
		values["log.dir"] = dir
	}
	if memory := memoryLimit(); memory > 0 {
		values["queued.max.request.bytes"] = strconv.FormatInt(max(memory/4, leastInFlightBytes), 10)
	}
	return Source{Name: "machine", Values: values, kind: sourceMachine}
}

// leastInFlightBytes lets one request of the largest size in, however small the machine.
const leastInFlightBytes = 128 << 20

// userDataDir is where the user's programs keep data that must survive: never a
// temporary directory, which the next boot may clear.
func userDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "barnabas")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LOCALAPPDATA"); dir != "" {
			return filepath.Join(dir, "barnabas")
		}
		return filepath.Join(home, "AppData", "Local", "barnabas")
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "barnabas")
	}
	return filepath.Join(home, ".local", "share", "barnabas")
}

// memoryLimit is what the control group allows, else what the machine has; 0: unknown.
func memoryLimit() int64 {
	limit := machineMemory()
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// machineMemory reads MemTotal from /proc/meminfo, where there is one.
func machineMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) >= 2 && string(fields[0]) == "MemTotal:" {
			kilobytes, err := strconv.ParseInt(string(fields[1]), 10, 64)
			if err != nil {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}
