//go:build suite

package clients

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fileBytes is how much of the Go toolchain's sources goes through the broker, at the least.
const fileBytes = 100 << 20

// longestLine is what fits a record with the defaults of kcat and of the broker; the toolchain's sources have one longer.
const longestLine = 900_000

// TestAFileOfRealLinesComesOutAsItWentIn sends a line a record through kcat, uncompressed and with each codec, and compares
// every byte that comes back.
func TestAFileOfRealLinesComesOutAsItWentIn(t *testing.T) {
	file := sources(t)
	want := digest(t, file)
	b := startBroker(t, nil)
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			topic := "file-" + codec
			b.createTopics(t, topic)
			defer b.deleteTopic(t, topic)

			start := time.Now()
			run(t, 3*time.Minute, "kcat", "-b", b.Address, "-P", "-t", topic, "-p", "0", "-z", codec,
				"-X", "compression.level=1", "-X", "queue.buffering.max.messages=1000000", "-X", "linger.ms=50", "-l", file.name)
			produced := time.Since(start)

			start = time.Now()
			got := consumed(t, b.Address, topic)
			t.Logf("%d lines, %d MB: produced in %.1f s, consumed in %.1f s", file.lines, file.bytes>>20,
				produced.Seconds(), time.Since(start).Seconds())
			if got != want {
				t.Errorf("%s: what came out differs from %s: sha256 %s, want %s", codec, file.name, got, want)
			}
		})
	}
}

// consumed reads a topic to its end and returns the digest of its lines.
func consumed(t *testing.T, addr, topic string) string {
	t.Helper()
	cmd := exec.Command("kcat", "-b", addr, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q",
		"-X", "check.crcs=true", "-X", "fetch.message.max.bytes=4000000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	io.Copy(hash, out)
	if err := cmd.Wait(); err != nil || problem.Len() > 0 {
		t.Fatalf("kcat -C -t %s: %v\n%s", topic, err, problem.String())
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

type lineFile struct {
	name         string
	lines, bytes int
}

// sources writes the toolchain's text files one after the other, each line kept but the empty ones, which kcat leaves out,
// and those that are too long for a record.
func sources(t *testing.T) lineFile {
	t.Helper()
	root := filepath.Join(strings.TrimSpace(run(t, time.Minute, "go", "env", "GOROOT")), "src")
	file := lineFile{name: filepath.Join(t.TempDir(), "sources.txt")}
	f, err := os.Create(file.name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.IndexByte(text, 0) >= 0 { // binary test data has no lines
			return err
		}
		for line := range bytes.Lines(text) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if len(line) == 0 || len(line) > longestLine {
				continue
			}
			w.Write(line)
			w.WriteByte('\n')
			file.lines++
			file.bytes += len(line) + 1
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if file.bytes < fileBytes {
		t.Fatalf("%s holds %d bytes of text lines, fewer than %d", root, file.bytes, fileBytes)
	}
	return file
}

func digest(t *testing.T, file lineFile) string {
	t.Helper()
	f, err := os.Open(file.name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}
