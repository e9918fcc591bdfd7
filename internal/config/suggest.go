package config

import "strings"

// Suggest returns the setting of a scope whose name is nearest to a mistaken one, or ""
// when none is near enough to be meant.
func Suggest(scope Scope, mistaken string) string {
	wanted := strings.ToLower(strings.NewReplacer("_", ".", "-", ".", " ", "").Replace(mistaken))
	best, bestDistance := "", len(wanted)/3+1
	for i := range tables[scope] {
		name := tables[scope][i].Name
		if distance := editDistance(wanted, name, bestDistance); distance < bestDistance {
			best, bestDistance = name, distance
		}
	}
	return best
}

// editDistance counts the letters to insert, drop or replace; it gives up at limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	previous := make([]int, len(b)+1)
	current := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		current[0] = i + 1
		for j := range len(b) {
			replaced := previous[j]
			if a[i] != b[j] {
				replaced++
			}
			current[j+1] = min(replaced, previous[j+1]+1, current[j]+1)
		}
		previous, current = current, previous
	}
	return previous[len(b)]
}
