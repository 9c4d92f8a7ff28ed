package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFileOfTheWorkspaceIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, size := range map[string]int64{"plain": 3, "empty": 0, "full": maxWorkspaceFile, "large": maxWorkspaceFile + 1, "sparse": 1 << 36} {
		f, err := os.Create(at(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := os.Symlink("plain", at("link")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		bytes int // -1: none
		fails bool
	}{
		{"plain", 3, false}, {"empty", 0, false}, {"full", maxWorkspaceFile, false}, {"absent", -1, false},
		{"large", -1, true}, {"sparse", -1, true}, {"link", -1, true}, {".", -1, true},
	} {
		b, err := readWorkspaceFile(at(row.name))
		if (err != nil) != row.fails {
			t.Errorf("%s: error %v, want one: %v", row.name, err, row.fails)
		}
		if (b == nil) != (row.bytes < 0) || b != nil && len(b) != row.bytes {
			t.Errorf("%s: %d bytes (nil: %v), want %d", row.name, len(b), b == nil, row.bytes)
		}
	}
}
