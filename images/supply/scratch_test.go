package supply

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func builds(t *testing.T, parent string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(parent, "build-*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestScratchOfAKilledBuildIsRemovedAndOfALivingOneIsNot(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "builds")
	living, remove, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, dead := range []string{"build-1", "build-2"} { // one killed before it had a lease, one after
		if err := os.MkdirAll(filepath.Join(parent, dead, "tree", "usr"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "build-2", "lease"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other, removeOther, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{living, other}
	slices.Sort(want)
	if got := builds(t, parent); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	for _, f := range []func() error{remove, removeOther} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	if got := builds(t, parent); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}
