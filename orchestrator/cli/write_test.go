package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func hello(w io.Writer) error {
	_, err := io.WriteString(w, "hello")
	return err
}

func TestAFileIsReplacedAndNothingElseIs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, err := range map[string]error{
		"file":      os.WriteFile(at("file"), []byte("something longer"), 0o600),
		"folder":    os.Mkdir(at("folder"), 0o755),
		"target":    os.WriteFile(at("target"), []byte("kept"), 0o600),
		"link":      os.Symlink("target", at("link")),
		"dangling":  os.Symlink("nowhere", at("dangling")),
		"to-device": os.Symlink(os.DevNull, at("to-device")),
	} {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	for _, c := range []struct {
		name string
		ok   bool
		want string
	}{
		{"file", true, "hello"},
		{"new", true, "hello"},
		{"folder", false, ""},
		{"link", false, ""},
		{"dangling", false, ""},
		{"to-device", true, ""},
		{"absent/new", false, ""},
	} {
		if err := writeFile(at(c.name), hello); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if text, _ := os.ReadFile(at(c.name)); c.want != "" && string(text) != c.want {
			t.Errorf("%s holds %q, want %q", c.name, text, c.want)
		}
	}
	if text, err := os.ReadFile(at("target")); err != nil || string(text) != "kept" {
		t.Errorf("what a link leads to was written: %q, %v", text, err)
	}
	if info, err := os.Lstat(at("to-device")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link to a device was replaced: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(at(".scangate-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
