package config

import (
	"fmt"
	"slices"
)

// tables holds the rows of each scope, sorted by name.
var tables = buildTables()

func buildTables() [scopeCount][]Row {
	built := [scopeCount][]Row{
		Broker: slices.Concat(serverRows(), networkRows(), replicationRows(), logRows(), cleanerRows(), remoteRows(),
			groupRows(), shareRows(), transactionRows(), quorumRows(), metricsRows(), quotaRows(), sslRows(), saslRows(), ownRows()),
		Topic:         topicRows(),
		Group:         dynamicGroupRows(),
		ClientMetrics: clientMetricsRows(),
	}
	for scope, rows := range built {
		slices.SortFunc(rows, func(a, b Row) int { return compareNames(a.Name, b.Name) })
		for i := range rows {
			rows[i].scope, rows[i].index = Scope(scope), i
			if i > 0 && rows[i].Name == rows[i-1].Name {
				panic(fmt.Sprintf("config: two rows are called %s", rows[i].Name))
			}
		}
	}
	return built
}

func compareNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Rows returns every setting of a scope, sorted by name. The caller must not modify them.
func Rows(scope Scope) []Row { return tables[scope] }

// Lookup returns the row of a setting's exact name.
func Lookup(scope Scope, name string) (*Row, bool) {
	rows := tables[scope]
	i, found := slices.BinarySearchFunc(rows, name, func(r Row, n string) int { return compareNames(r.Name, n) })
	if !found {
		return nil, false
	}
	return &rows[i], true
}

// IsList reports whether a setting is a list, to which IncrementalAlterConfigs may append.
func IsList(scope Scope, name string) bool {
	row, found := Lookup(scope, name)
	return found && row.Type == List
}
