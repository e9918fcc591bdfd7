package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// kafkaVersion is the release whose protocol is served.
const kafkaVersion = "4.4"

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kafka    string `json:"kafka"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  barnabas version\n  barnabas version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			return a.print(v, func(t *table) {
				t.row("barnabas", v.Version)
				if v.Revision != "" {
					t.row("revision", v.Revision)
				}
				t.row("go", v.Go)
				t.row("platform", v.Platform)
				t.row("protocol of Kafka", v.Kafka)
			})
		},
	}
}

// buildVersion reads what the Go toolchain noted down in the binary.
func buildVersion() versionInfo {
	v := versionInfo{Version: "development", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kafka: kafkaVersion}
	info, found := debug.ReadBuildInfo()
	if !found {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			v.Revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			v.Revision += " (modified)"
		}
	}
	return v
}
