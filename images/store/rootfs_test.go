package store

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate/images"
)

func TestTheRootFileSystemIsPlain(t *testing.T) {
	s := newStore(t)
	root, err := s.Rootfs(t.Context(), put(t, s, simple(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		". drwxr-xr-x", ".scangate drwxr-xr-x", "bin -> usr", "dev drwxr-xr-x", "etc drwxr-xr-x", "etc/passwd -rw-r--r--", "proc drwxr-xr-x",
		"scangate drwxr-xr-x", "sys drwxr-xr-x", "tmp dtrwxrwxrwx", "usr drwxr-xr-x", "usr/more -rw-r--r--",
		"usr/tool -rwxr-xr-x", "workspace drwxr-xr-x",
	}
	if got := listing(t, root); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	info, err := os.Stat(filepath.Join(root, "usr/tool"))
	if err != nil || !info.ModTime().Equal(time.Unix(1234, 0)) {
		t.Errorf("mtime: %v %v", info, err)
	}
}

// listing tells of each path its mode, or its link text.
func listing(t testing.TB, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if e.Type() == fs.ModeSymlink {
			to, err := os.Readlink(name)
			out = append(out, rel+" -> "+to)
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out = append(out, rel+" "+info.Mode().String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAWrongDiffIDIsRefused(t *testing.T) {
	s := newStore(t)
	pin := put(t, s, build(t, [][]byte{tarOf(t, reg("a", "a"))}, func(m, c object) {
		c["rootfs"].(object)["diff_ids"] = []any{digestOf([]byte("other"))}
	}))
	_, err := s.Rootfs(t.Context(), pin)
	if err == nil || !strings.Contains(err.Error(), "digest mismatch: want "+digestOf([]byte("other"))) {
		t.Errorf("Rootfs = %v", err)
	}
	noRootfs(t, s)
}

func TestLeftoversOfKilledProcessesDoNotMatter(t *testing.T) {
	s := newStore(t)
	pin := put(t, s, simple(t))
	final := filepath.Join(s.rootfs(), pin.Manifest[7:])
	half := filepath.Join(s.rootfs(), "."+pin.Manifest[7:]+".tmp-1")
	blob := filepath.Join(s.blobs(), tempPrefix+"1")
	for _, file := range []string{final + "/half", half + "/half", blob} { // renamed but not marked; not renamed; a blob
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(blob, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.root); err != nil {
		t.Fatal(err)
	}
	root, err := s.Rootfs(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{root + "/half", half, blob} {
		if _, err := os.Lstat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is still there", gone)
		}
	}
}

// TestMain is also the other process of TestTwoProcessesAtOnce.
func TestMain(m *testing.M) {
	root, pin := os.Getenv("STORE_TEST_ROOT"), os.Getenv("STORE_TEST_PIN")
	if root == "" {
		os.Exit(m.Run())
	}
	manifest, config, _ := strings.Cut(pin, ",")
	s, err := Open(root)
	if err == nil {
		_, err = s.Rootfs(context.Background(), images.Pin{Manifest: manifest, Config: config})
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func TestManyProcessesAtOnceAndOneKilled(t *testing.T) {
	s := newStore(t)
	var entries []entry
	for i := range 2000 {
		entries = append(entries, reg("d/"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50), "text"))
	}
	pin := put(t, s, build(t, [][]byte{tarOf(t, entries...)}, nil))
	command := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STORE_TEST_ROOT="+s.root, "STORE_TEST_PIN="+pin.Manifest+","+pin.Config)
		return c
	}
	victim := command()
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for { // until it is in the middle
		half, _ := filepath.Glob(filepath.Join(s.rootfs(), ".*.tmp-*", "d"))
		done, _ := filepath.Glob(filepath.Join(s.rootfs(), "*.complete"))
		if len(half)+len(done) > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := command().CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		wg.Go(func() {
			if _, err := s.Rootfs(t.Context(), pin); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	root, err := s.Rootfs(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(listing(t, filepath.Join(root, "d"))); got != len(entries)+1 {
		t.Errorf("%d paths, want %d", got, len(entries)+1)
	}
	if left, _ := filepath.Glob(filepath.Join(s.rootfs(), ".*.tmp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
