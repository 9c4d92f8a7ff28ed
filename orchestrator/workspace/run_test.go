package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSweepTakesWhatNobodyHolds(t *testing.T) {
	dir, store := t.TempDir(), filepath.Join(t.TempDir(), "deep/store")
	if err := Sweep(store); err != nil {
		t.Errorf("sweep of no store: %v", err)
	}
	write(t, dir, map[string]string{"a": "x", "d/b": "y"})
	alive, err := Take(t.Context(), dir, Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	killed, err := Take(t.Context(), dir, Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Materialise(killed.Select(Query{Globs: []string{"**"}}), filepath.Join(killed.Dir(), "v")); err != nil {
		t.Fatal(err)
	}
	if err := killed.run.lease.Drop(); err != nil { // the kernel does that for a killed process
		t.Fatal(err)
	}
	write(t, store, map[string]string{"run-file": "", "other/x": "", "run-bare/x": ""})
	if err := os.Symlink(dir, filepath.Join(store, "run-link")); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(store); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{alive.Dir(): true, killed.Dir(): false, store + "/run-bare": false, store + "/run-file": true, store + "/other/x": true, store + "/run-link": true, dir + "/a": true} {
		if _, err := os.Lstat(at); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", at, err == nil, want)
		}
	}
	if text, err := alive.Read("a"); err != nil || string(text) != "x" {
		t.Errorf("the living run lost its content: %q, %v", text, err)
	}
	if err := alive.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(alive.Dir()); err == nil {
		t.Error("a closed snapshot is still in the store")
	}
}

func TestRunsAndSweepsDoNotDisturbEachOther(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "x"})
	done := make(chan error)
	go func() {
		for range 200 {
			if err := Sweep(store); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 100 {
		s, err := Take(t.Context(), dir, Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read("a"); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAStoreInTheWorkspaceIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"sub/a": ""})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "sub"), link); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{dir, dir + "/sub", dir + "/new/deep", link, link + "/new"} {
		if _, err := Take(t.Context(), dir, Options{Store: store}); err == nil || !strings.Contains(err.Error(), "lies in the workspace") {
			t.Errorf("%s: got %v", store, err)
		}
	}
	if _, err := os.Stat(dir + "/new"); err == nil {
		t.Error("the refused store was made")
	}
}

func TestASweepTakesWhatWasBeingRemoved(t *testing.T) {
	store := t.TempDir()
	// The folder without its lease, and the lease without its folder: killed while it removed, or before it had made.
	write(t, store, map[string]string{"run-1/blobs/a": "x", "2.lease": ""})
	if err := Sweep(store); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(store); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
