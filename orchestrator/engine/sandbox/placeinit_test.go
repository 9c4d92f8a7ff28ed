package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestPlaceInitGivesAFolderWithTheProgram(t *testing.T) {
	root := t.TempDir()
	dir, err := PlaceInit(root, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "init")
	if err := os.WriteFile(file+"2", nil, 0o600); err != nil { // a mark, to see that the folder is used again
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte("changed"), 0o600)); err != nil {
		t.Fatal(err)
	}
	again, err := PlaceInit(root, []byte("one"))
	if err != nil || again != dir {
		t.Fatalf("got %s, %v", again, err)
	}
	b, err := os.ReadFile(file)
	if err != nil || string(b) != "one" {
		t.Fatalf("got %q, %v", b, err)
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o555 {
		t.Fatalf("got %v, %v", st.Mode(), err)
	}
	other, err := PlaceInit(root, []byte("two"))
	if err != nil || other == dir {
		t.Fatalf("got %s, %v", other, err)
	}
}

func TestNoInitForAnUnknownArchitecture(t *testing.T) {
	if _, err := Init("pdp11"); !errors.Is(err, ErrNoInit) {
		t.Fatalf("got %v", err)
	}
}

func TestDiffGolden(t *testing.T) {
	if d := DiffGolden(Golden); d != "" {
		t.Fatal(d)
	}
	for _, got := range []string{"", Golden + "more\n", "uid 0\n"} {
		if DiffGolden(got) == "" {
			t.Errorf("%.20q is golden", got)
		}
	}
}
