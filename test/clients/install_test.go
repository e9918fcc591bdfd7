//go:build suite

package clients

import (
	"fmt"
	"os/exec"
)

// codecs are Kafka's, by the names that clients give them.
var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// install brings what the suite needs onto this machine, through the ordinary package clients.
func install() error {
	return installKcat()
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

// commands runs each until one fails, whose output is then in the error.
func commands(cmds ...*exec.Cmd) error {
	for _, cmd := range cmds {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, tail(string(out), 4000))
		}
	}
	return nil
}
