//go:build suite

package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// install brings what the suite needs onto this machine, through the ordinary package clients, and builds the adapters.
// What is there from an earlier run is taken as it is, as long as the files that list it have not changed.
func install() error {
	steps := []func() error{installKcat, installGo, installJava, installPython, installJS}
	errs := make([]error, len(steps))
	var done sync.WaitGroup
	for i, step := range steps {
		done.Go(func() { errs[i] = step() })
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func installKcat() error {
	if _, err := exec.LookPath("kcat"); err == nil {
		return nil
	}
	return commands(
		exec.Command("apt-get", "update", "-qq"),
		exec.Command("apt-get", "install", "-y", "-qq", "--no-install-recommends", "kcat"),
	)
}

// installGo is not kept by its files: go build knows best what is up to date.
func installGo() error {
	build := exec.Command("go", "build", "-o", goAdapter(), ".")
	build.Dir = "go"
	return commands(build)
}

func installJava() error {
	jars, err := kafkatest.ClassPath(context.Background(), kafkatest.Server44)
	if err != nil {
		return err
	}
	return once("java", []string{"java/Adapter.java"}, func(dir string) error {
		return commands(exec.Command("javac", "-cp", jars, "-d", dir, "java/Adapter.java"))
	})
}

func installPython() error {
	return once("python", []string{"python/requirements.txt"}, func(dir string) error {
		return commands(
			exec.Command("python3", "-m", "venv", dir),
			exec.Command(filepath.Join(dir, "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r", "python/requirements.txt"),
		)
	})
}

func installJS() error {
	return once("js", []string{"js/package.json", "js/package-lock.json"}, func(dir string) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, file := range []string{"package.json", "package-lock.json"} {
			text, err := os.ReadFile(filepath.Join("js", file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
				return err
			}
		}
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
		npm.Dir = dir
		return commands(npm)
	})
}

// once installs into a folder of the cache unless that was done from the same files before.
func once(name string, files []string, install func(dir string) error) error {
	hash := sha256.New()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		hash.Write(text)
	}
	dir := filepath.Join(cache, name)
	mark, want := dir+".installed", fmt.Appendf(nil, "%x\n", hash.Sum(nil))
	if have, err := os.ReadFile(mark); err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := install(dir); err != nil {
		return fmt.Errorf("installing %s: %w", name, err)
	}
	return os.WriteFile(mark, want, 0o644)
}

// commands runs each until one fails, whose output is then in the error.
func commands(cmds ...*exec.Cmd) error {
	for _, cmd := range cmds {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, tail(string(out), 4000))
		}
	}
	return nil
}
