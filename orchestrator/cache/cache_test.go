package cache

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, c *Cache, key, value string) {
	t.Helper()
	if err := c.Put(key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasPutIsFoundByLaterProcesses(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	for _, value := range []string{"", "a", strings.Repeat("b", 1<<20)} {
		put(t, c, "k", value)
		got, ok := open(t, dir).Get("k")
		if !ok || string(got) != value {
			t.Errorf("Get = %d bytes, %v; want %d bytes", len(got), ok, len(value))
		}
	}
	if _, ok := c.Get("other"); ok {
		t.Error("a key that was never put was found")
	}
}

func TestAnyFlippedByteIsAMiss(t *testing.T) {
	c := open(t, t.TempDir())
	put(t, c, "k", "findings: none")
	file := c.file("k")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(whole)
			bad[i] ^= bit
			isMiss(t, c, file, bad, fmt.Sprintf("byte %d xor %#x", i, bit))
		}
	}
	for n := range whole {
		isMiss(t, c, file, whole[:n], fmt.Sprintf("cut to %d bytes", n))
	}
	isMiss(t, c, file, append(bytes.Clone(whole), 0), "one byte more")
}

func isMiss(t *testing.T, c *Cache, file string, content []byte, name string) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Get("k"); ok {
		t.Errorf("%s: Get = %q", name, got)
	}
	if _, err := os.Lstat(file); !os.IsNotExist(err) {
		t.Errorf("%s: the file is still there: %v", name, err)
	}
}

func TestAnEntryUnderAnotherNameOrKeyIsAMiss(t *testing.T) {
	c := open(t, t.TempDir())
	put(t, c, "a", "of a")
	if err := os.Rename(c.file("a"), c.file("k")); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Get("k"); ok {
		t.Errorf("moved entry: Get = %q", got)
	}

	other := open(t, t.TempDir())
	put(t, other, "k", "forged")
	entry, err := os.ReadFile(other.file("k"))
	if err != nil {
		t.Fatal(err)
	}
	isMiss(t, c, c.file("k"), entry, "entry of a cache with another MAC key")
}

func TestAFolderInPlaceOfAnEntryIsAMiss(t *testing.T) {
	c := open(t, t.TempDir())
	if err := os.MkdirAll(filepath.Join(c.file("k"), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Get("k"); ok {
		t.Error("a folder was found")
	}
	put(t, c, "k", "v")
}

func TestOpenRefusesAKeyThatIsNotPrivateAndWhole(t *testing.T) {
	for name, breakKey := range map[string]func(file string) error{
		"readable by others": func(f string) error { return os.Chmod(f, 0o644) },
		"cut":                func(f string) error { return os.Truncate(f, 31) },
		"a symbolic link": func(f string) error {
			if err := os.Rename(f, f+"2"); err != nil {
				return err
			}
			return os.Symlink(f+"2", f)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir)
			if err := breakKey(filepath.Join(dir, keyName)); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "read key") {
				t.Errorf("Open = %v", err)
			}
		})
	}
}

func TestManyAtOnceShareOneKeyAndSeeWholeValues(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			c, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			value := bytes.Repeat([]byte{byte(i)}, 1<<16)
			if err := c.Put("k", value); err != nil {
				t.Error(err)
			}
			got, ok := c.Get("k")
			if !ok || len(got) != 1<<16 || !bytes.Equal(got, bytes.Repeat(got[:1], 1<<16)) {
				t.Errorf("Get = %d bytes, %v", len(got), ok)
			}
		})
	}
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(dir, ".tmp-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v %v", left, err)
	}
	info, err := os.Stat(filepath.Join(dir, keyName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v %v", info, err)
	}
}
