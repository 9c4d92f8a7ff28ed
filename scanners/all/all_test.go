package all

import (
	"slices"
	"testing"
)

func TestCatalogueIsAlphabeticalWithoutRepeats(t *testing.T) {
	var names []string
	for _, s := range Catalogue {
		names = append(names, s.Name)
	}
	if want := slices.Compact(slices.Sorted(slices.Values(names))); !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}
