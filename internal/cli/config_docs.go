package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/barnabas-mq/barnabas/internal/config"
)

type documentedConfig struct {
	Scope    string   `json:"scope"`
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Default  *string  `json:"default"`
	Allowed  string   `json:"allowed,omitempty"`
	Update   string   `json:"update,omitempty"`
	Synonyms []string `json:"broker_settings,omitempty"`
	Status   string   `json:"status"`
	Why      string   `json:"why,omitempty"`
	Doc      string   `json:"documentation"`
}

func (a *app) configDocsCommand() *cobra.Command {
	var markdown bool
	c := &cobra.Command{
		Use:   "docs [WORD]",
		Short: "Explain every setting, or those whose name contains a word",
		Example: `  barnabas config docs retention
  barnabas config docs -o json
  barnabas config docs --markdown > docs/configuration.md`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if markdown {
				_, err := fmt.Fprint(a.Stdout, config.Documentation())
				return err
			}
			return a.explainSettings(strings.ToLower(strings.Join(args, "")))
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "print the whole page of the documentation")
	return c
}

func (a *app) explainSettings(word string) error {
	found := []documentedConfig{}
	for _, scope := range []config.Scope{config.Broker, config.Topic, config.Group, config.ClientMetrics} {
		for i := range config.Rows(scope) {
			if row := &config.Rows(scope)[i]; strings.Contains(row.Name, word) {
				found = append(found, documented(row))
			}
		}
	}
	if len(found) == 0 {
		return noSetting(word)
	}
	return a.print(found, func(t *table) {
		for _, d := range found {
			t.line("%s (%s, %s)", d.Name, d.Scope, strings.Join(d.facts(), ", "))
			t.line("  %s", d.Doc)
			if d.Status != config.ActedOn.String() {
				t.line("  %s: %s", d.Status, d.Why)
			}
		}
	})
}

func noSetting(word string) error {
	if nearest := config.Suggest(config.Broker, word); nearest != "" {
		return fmt.Errorf("no setting's name contains %q; did you mean %s?", word, nearest)
	}
	return fmt.Errorf("no setting's name contains %q", word)
}

func documented(row *config.Row) documentedConfig {
	d := documentedConfig{
		Scope: row.Scope().String(), Name: row.Name, Type: strings.ToLower(row.Type.String()), Allowed: row.Check.Allowed,
		Status: row.Status.String(), Why: row.Why, Doc: row.Doc,
	}
	if !row.Null {
		d.Default = &row.Default
	}
	if row.Scope() == config.Broker {
		d.Update = row.Update.String()
	}
	for _, s := range row.Synonyms {
		d.Synonyms = append(d.Synonyms, s.Name)
	}
	return d
}

func (d documentedConfig) facts() []string {
	facts := []string{d.Type}
	switch {
	case d.Default == nil:
		facts = append(facts, "no default")
	case *d.Default == "":
		facts = append(facts, "default empty")
	default:
		facts = append(facts, "default "+*d.Default)
	}
	if d.Allowed != "" {
		facts = append(facts, "allowed "+d.Allowed)
	}
	if len(d.Synonyms) > 0 {
		facts = append(facts, "broker setting "+strings.Join(d.Synonyms, ", "))
	}
	if d.Update != "" {
		facts = append(facts, d.Update)
	}
	return facts
}
