package kafkatest

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

//go:embed *.pom.xml
var poms embed.FS

// Jars names a set of jars, which one pom in this folder lists.
type Jars string

const (
	Server44 Jars = "server-4.4" // kafka.Kafka and kafka.tools.StorageTool
	Server39 Jars = "server-3.9" // the last release with the versions that KIP-896 dropped
	Tools    Jars = "tools-4.3"  // org.apache.kafka.tools.*, kafka.admin.ConfigCommand, kafka-clients, kafka-streams
)

// Root is the folder of the project.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("no source position: built with -trimpath?")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// Cache is a folder below test/kafka/.cache that is kept between runs and that git ignores.
func Cache(name string) (string, error) {
	dir := filepath.Join(Root(), "test", "kafka", ".cache", name)
	return dir, os.MkdirAll(dir, 0o755)
}

// ClassPath is the class path of a set of jars, which Maven fetches into the cache the first time. Several processes
// may ask at once.
func ClassPath(ctx context.Context, jars Jars) (string, error) {
	pom, err := poms.ReadFile(string(jars) + ".pom.xml")
	if err != nil {
		return "", fmt.Errorf("jars %s: %w", jars, err)
	}
	cache, err := Cache("jars")
	if err != nil {
		return "", err
	}
	// The hash makes a changed pom fetch anew.
	dir := filepath.Join(cache, fmt.Sprintf("%s-%x", jars, sha256.Sum256(pom))[:len(jars)+9])
	unlock, err := lock(filepath.Join(cache, string(jars)+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(dir, "*"), nil
	}
	if err := fetch(ctx, pom, dir); err != nil {
		return "", fmt.Errorf("jars %s: %w", jars, err)
	}
	return filepath.Join(dir, "*"), nil
}

// fetch has Maven copy what the pom depends on. The folder appears when it is complete.
func fetch(ctx context.Context, pom []byte, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	libs := filepath.Join(work, "libs")
	mvn := exec.CommandContext(ctx, "mvn", "-B", "-q", "-f", file,
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+libs)
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	return os.Rename(libs, dir)
}
