package lease

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheLeaseOfTheDeadIsInherited(t *testing.T) {
	dir := t.TempDir()
	name, alive, err := Take(dir)
	must(t, err)
	if heir, err := Inherit(dir, name); heir != nil || err != nil {
		t.Fatalf("the lease of a living process was inherited: %v, %v", heir, err)
	}
	must(t, alive.Drop())
	heir, err := Inherit(dir, name)
	if err != nil || heir == nil {
		t.Fatalf("the lease of a dead process was not: %v, %v", heir, err)
	}
	if second, err := Inherit(dir, name); second != nil || err != nil {
		t.Fatalf("a lease was inherited twice: %v, %v", second, err)
	}
	must(t, heir.End())
	if _, err := Inherit(dir, name); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a lease that is gone: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("left: %v, %v", left, err)
	}
}

func TestALeaseThatWasRemovedBeforeItWasLockedIsNone(t *testing.T) {
	dir := t.TempDir()
	name, l, err := Take(dir)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, name+suffix)))
	must(t, os.WriteFile(filepath.Join(dir, name+suffix), nil, 0o600)) // and made again by another
	if l.current() {
		t.Error("a lock on a removed file counts")
	}
	must(t, l.Drop())
}

func TestNamesListsLeases(t *testing.T) {
	dir := t.TempDir()
	one, _, err := Take(dir)
	must(t, err)
	two, l, err := Take(dir)
	must(t, err)
	must(t, l.Drop())
	must(t, os.WriteFile(filepath.Join(dir, "owner"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "folder.lease"), 0o700))
	want := []string{one, two}
	slices.Sort(want)
	if got, err := Names(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestAFolderThatIsAbsentHasNoLease(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	if _, _, err := Take(absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("take: %v", err)
	}
	if _, err := Inherit(absent, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("inherit: %v", err)
	}
	if _, err := Names(absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("names: %v", err)
	}
}

// What is locked and what is removed must never be another's, whoever comes first.
func TestTakingAndSweepingDoNotDisturbEachOther(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				names, err := Names(dir)
				if err != nil {
					t.Error(err)
					return
				}
				for _, n := range names {
					switch l, err := Inherit(dir, n); {
					case errors.Is(err, fs.ErrNotExist), l == nil && err == nil:
					case err != nil:
						t.Error(err)
					default:
						if err := l.End(); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	for range 300 {
		name, l, err := Take(dir)
		must(t, err)
		if !l.current() {
			t.Fatalf("%s was swept away while it was held", name)
		}
		must(t, l.End())
	}
	close(stop)
	all.Wait()
}
