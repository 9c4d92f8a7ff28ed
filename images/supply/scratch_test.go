package supply

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scangate/scangate/pkg/lease"
)

func TestScratchOfAKilledBuildIsRemovedAndOfALivingOneIsNot(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "builds")
	living, remove, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []bool{true, false} { // one killed while it built, one before it had a folder
		name, dead, err := lease.Take(parent)
		if err != nil {
			t.Fatal(err)
		}
		if made {
			if err := os.MkdirAll(filepath.Join(parent, name, "tree", "usr"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := dead.Drop(); err != nil {
			t.Fatal(err)
		}
	}
	other, removeOther, err := scratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{living, living + ".lease", other, other + ".lease"}
	slices.Sort(want)
	if got, err := filepath.Glob(filepath.Join(parent, "*")); err != nil || !slices.Equal(got, want) {
		t.Errorf("there are %v, %v, want %v", got, err, want)
	}
	for _, f := range []func() error{remove, removeOther} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadDir(parent); err != nil || len(got) > 0 {
		t.Errorf("left: %v, %v", got, err)
	}
}
