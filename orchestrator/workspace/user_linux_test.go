package workspace

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// asUser gives up root for the length of f, where the test has it.
func asUser(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() == 0 {
		if err := syscall.Setresuid(-1, 65534, -1); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setresuid(-1, 0, -1); err != nil {
				t.Fatal(err)
			}
		}()
	}
	f()
}

// open makes a folder that any user may work in.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "open-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAnOrdinaryUserSeesWhatItMayNotRead(t *testing.T) {
	base := open(t)
	dir := filepath.Join(base, "w")
	write(t, dir, map[string]string{".gitignore": "secret-ignored\n", "a.py": "", "closed.py": "", "closed/x.py": "", "listed/y.py": "", "secret-ignored": "", ".git/HEAD": ""})
	for name, mode := range map[string]os.FileMode{"closed.py": 0, "closed": 0, "listed": 0o444, "secret-ignored": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	var s *Snapshot
	asUser(t, func() {
		var err error
		if s, err = Take(t.Context(), dir, Options{Store: filepath.Join(base, "store")}); err != nil {
			t.Error(err)
		}
	})
	if s == nil {
		t.FailNow()
	}
	defer s.Close()
	want := []LeftOut{{"closed", Unreadable}, {"closed.py", Unreadable}, {"listed/y.py", Unreadable}}
	if !slices.Equal(s.LeftOut, want) {
		t.Errorf("got %v, want %v", s.LeftOut, want)
	}
	if got, want := paths(s), []string{".gitignore", "a.py"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAClosedGitignoreIgnoresNothingAndIsReported(t *testing.T) {
	base := open(t)
	dir := filepath.Join(base, "w")
	write(t, dir, map[string]string{".gitignore": "*", "a.py": "", ".git/HEAD": ""})
	if err := os.Chmod(filepath.Join(dir, ".gitignore"), 0); err != nil {
		t.Fatal(err)
	}
	asUser(t, func() {
		s, err := Take(t.Context(), dir, Options{Store: filepath.Join(base, "store")})
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		if got, want := s.LeftOut, []LeftOut{{".gitignore", Unreadable}}; !slices.Equal(got, want) || len(s.Files) != 1 {
			t.Errorf("got %v and %v", got, s.Files)
		}
	})
}
