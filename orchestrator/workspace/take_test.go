package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatIsNoFileIsLeftOutWithItsReason(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.py": "A", "d/b.py": "B", "big": strings.Repeat("x", 300<<10)})
	for at, text := range map[string]string{
		"to-file": "a.py", "d/up": "../a.py", "chain": "d/up", "to-folder": "d", "through": "to-folder/b.py", "dot": "./d/.././a.py",
		"outside": "../x", "deep-outside": "d/../../x", "absolute": dir + "/a.py", "zero": "/dev/zero",
		"gone": "nothing", "through-gone": "nothing/../a.py", "loop": "loop", "loop1": "loop2", "loop2": "loop1",
		"file-as-folder": "a.py/", "to-git": ".git/config", "root": ".", "to-fifo": "fifo.py",
	} {
		if err := os.Symlink(text, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo.py"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sparse.Truncate(1<<40), sparse.Close()); err != nil {
		t.Fatal(err)
	}

	s, err := Take(t.Context(), dir, Options{Store: t.TempDir(), MaxFileBytes: 200 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantLeft := []LeftOut{
		{"absolute", LinkOutside}, {"big", TooLarge}, {"deep-outside", LinkOutside}, {"fifo.py", Special},
		{"file-as-folder", LinkDangling}, {"gone", LinkDangling}, {"loop", LinkDangling}, {"loop1", LinkDangling}, {"loop2", LinkDangling},
		{"outside", LinkOutside}, {"root", LinkFolder}, {"s", Special}, {"sparse", TooLarge},
		{"through-gone", LinkDangling}, {"to-fifo", LinkDangling}, {"to-folder", LinkFolder}, {"to-git", LinkDangling}, {"zero", LinkOutside},
	}
	if !slices.Equal(s.LeftOut, wantLeft) {
		t.Errorf("left out\n got %v\nwant %v", s.LeftOut, wantLeft)
	}
	links := map[string]string{}
	for _, f := range s.Files {
		links[f.Path] = f.Link
	}
	want := map[string]string{"a.py": "", "d/b.py": "", "to-file": "a.py", "d/up": "a.py", "chain": "a.py", "through": "d/b.py", "dot": "a.py"}
	if fmt.Sprint(links) != fmt.Sprint(want) {
		t.Errorf("files\n got %v\nwant %v", links, want)
	}
	if text, err := s.Read("chain"); err != nil || string(text) != "A" {
		t.Errorf("read through a link: %q, %v", text, err)
	}
}

// Between the look at a name and its opening, somebody may put another thing there.
func TestAnythingButARegularFileIsNotTakenWhenItIsOpened(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": "", "folder/x": ""})
	if err := errors.Join(os.Symlink("file", filepath.Join(dir, "link")), os.Symlink("folder", filepath.Join(dir, "folder-link")), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644)); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(at)
	for name, want := range map[string]error{"link": unix.ELOOP, "fifo": unix.ENXIO, "folder": unix.ENXIO, "gone": unix.ENOENT} {
		if _, _, err := openRegular(at, name); err != want {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if _, err := openat(at, "folder-link", unix.O_DIRECTORY); err == nil {
		t.Error("a folder was entered through a link")
	}
}

func TestDevicesAreNotOpened(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("an ordinary user cannot make a device: only the other special files are tested")
		return
	}
	dir := t.TempDir()
	if err := unix.Mknod(filepath.Join(dir, "zero.py"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	if got, want := snapshot(t, dir).LeftOut, []LeftOut{{"zero.py", Special}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	names := []string{"-rf.py", "a\nb.py", "\x1b[31mred.py", "\xff\xfe.py", "con\tt.py", "käse.py", `back\slash.py`, `quo"te'.py`, " lead.py", "{a,b}.py", "[id].py", strings.Repeat("n", 240) + ".py"}
	files := map[string]string{}
	for i, n := range names {
		files[n] = fmt.Sprint(i)
	}
	write(t, dir, files)
	s := snapshot(t, dir)
	slices.Sort(names)
	if got := paths(s); !slices.Equal(got, names) {
		t.Fatalf("got %q, want %q", got, names)
	}
	v := s.Select(Query{Globs: []string{"**/*.py"}})
	at := filepath.Join(s.Dir(), "view")
	if err := s.Materialise(v, at); err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Entries {
		if !plain.MatchString(e.Path) || filepath.Ext(e.Path) != ".py" {
			t.Errorf("%q travels as %q", e.Source, e.Path)
		}
		text, err := os.ReadFile(filepath.Join(at, e.Path))
		if err != nil || string(text) != files[e.Source] {
			t.Errorf("%q holds %q, %v; want %q", e.Path, text, err, files[e.Source])
		}
		if back, ok := v.Source(e.Path); !ok || back != e {
			t.Errorf("%q leads back to %v", e.Path, back)
		}
	}
	if len(v.Entries) != len(names) {
		t.Errorf("%d entries for %d files", len(v.Entries), len(names))
	}
}

// deepen makes n nested folders of one name by descriptor, as no path could name them, and a file in the last.
func deepen(t *testing.T, dir, name string, n int) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	for range n {
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkdirat(at, name, 0o755); err != nil {
			t.Fatal(err)
		}
		var sub int
		sub, err = unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		unix.Close(at)
		at = sub
	}
	defer unix.Close(at)
	fd, err := unix.Openat(at, "deep.py", unix.O_WRONLY|unix.O_CREAT, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
}

func TestLongPathsAreRead(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("l", 199)
	deepen(t, dir, name, 40) // 8,000 bytes, twice what a path may have
	s := snapshot(t, dir)
	want := strings.Repeat(name+"/", 40) + "deep.py"
	if got := paths(s); !slices.Equal(got, []string{want}) || len(s.LeftOut) != 0 {
		t.Fatalf("got %d files, left out %v", len(got), s.LeftOut)
	}
	v := s.Select(Query{Globs: []string{"**/*.py"}})
	if e := v.Entries[0]; len(e.Path) > 20 || e.Source != want || !strings.HasSuffix(e.Path, ".py") {
		t.Errorf("it travels as %q", e.Path)
	}
	if err := s.Materialise(v, filepath.Join(s.Dir(), "view")); err != nil {
		t.Error(err)
	}
}

func TestFoldersNestedTooDeepAreReported(t *testing.T) {
	dir := t.TempDir()
	deepen(t, dir, "d", maxDepth+2)
	s := snapshot(t, dir)
	want := []LeftOut{{strings.Repeat("d/", maxDepth) + "d", TooLong}}
	if !slices.Equal(s.LeftOut, want) || !TooLong.Incomplete() {
		t.Errorf("got %v", s.LeftOut)
	}
}

func TestAnEditAfterTheReadIsNotSeen(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.py": "before", "b.py": "before"})
	s := snapshot(t, dir)
	before := s.Digest
	write(t, dir, map[string]string{"a.py": "after!", "c.py": "new"}) // in place: a hard link to the tree would show it
	if err := os.Remove(filepath.Join(dir, "b.py")); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(s.Dir(), "view")
	if err := s.Materialise(s.Select(Query{Globs: []string{"*.py"}}), at); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.py", "b.py"} {
		if text, err := os.ReadFile(filepath.Join(at, name)); string(text) != "before" {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(at, "c.py")); err == nil {
		t.Error("a file made later is in the view")
	}
	if after := snapshot(t, dir).Digest; after == before {
		t.Error("the edit does not change the digest")
	}
}

func TestWhatIsHashedIsWhatIsStoredWhileSomebodyWrites(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "grows")
	write(t, dir, map[string]string{"grows": strings.Repeat("a", 1<<20)})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				os.WriteFile(at, bytes.Repeat([]byte{byte('a' + i%26)}, 1<<20+i%5*4096), 0o644)
			}
		}
	}()
	for range 20 {
		s := snapshot(t, dir)
		text, err := s.Read("grows")
		if err != nil {
			t.Fatal(err)
		}
		again := blobs{dir: t.TempDir(), has: map[string]struct{}{}}
		pipe := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(pipe, text, 0o644); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(pipe, unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := again.take(fd, false, 1<<30)
		unix.Close(fd)
		if f := s.Files[0]; err != nil || c.digest != f.Digest || int64(len(text)) != f.Size {
			t.Errorf("stored %s (%d bytes), hashed %s (%d bytes), %v", c.digest, len(text), f.Digest, f.Size, err)
		}
	}
	close(stop)
	<-done
}

func TestTheDigestDependsOnTheTreeAlone(t *testing.T) {
	build := func(dir string) {
		files := map[string]string{}
		for i := range 200 {
			files[fmt.Sprintf("d%d/f%d.py", i%7, i)] = strings.Repeat(fmt.Sprint(i%50), i)
		}
		write(t, dir, files)
		if err := errors.Join(os.Chmod(filepath.Join(dir, "d1/f1.py"), 0o755), os.Symlink("d1/f1.py", filepath.Join(dir, "l"))); err != nil {
			t.Fatal(err)
		}
	}
	digests, views := map[string]int{}, map[string]int{}
	for i := range 12 {
		old := unix.Umask([]int{0o22, 0o77, 0}[i%3])
		t.Setenv("TZ", []string{"UTC", "Asia/Kathmandu"}[i%2])
		t.Setenv("LC_ALL", []string{"C", "tr_TR.UTF-8"}[i%2])
		dir := t.TempDir()
		build(dir)
		s, err := Take(t.Context(), dir, Options{Store: t.TempDir(), Jobs: []int{1, 2, 8}[i%3]})
		if err != nil {
			t.Fatal(err)
		}
		digests[s.Digest]++
		v := s.Select(Query{Globs: []string{"**/*.PY"}})
		views[v.Digest]++
		at := filepath.Join(s.Dir(), "jobs/x/view")
		if err := s.Materialise(v, at); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{"": 0o755, "d1": 0o755, "d1/f1.py": 0o555, "d2/f2.py": 0o444} {
			if info, err := os.Stat(filepath.Join(at, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%q has mode %v, %v; want %v", name, info.Mode(), err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		unix.Umask(old)
	}
	if len(digests) != 1 || len(views) != 1 {
		t.Errorf("%d snapshot digests, %d view digests", len(digests), len(views))
	}
}

func TestMoreFilesThanTheLimitIsAnError(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{"a": "", "b": "", "c": ""})
	_, err := Take(t.Context(), dir, Options{Store: store, MaxFiles: 2})
	if !errors.As(err, new(*TooManyError)) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(store); len(left) != 0 {
		t.Errorf("%v is left in the store", left)
	}
}

func TestLines(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "one\r\ntwo\n\nfour", "empty": ""})
	s := snapshot(t, dir)
	for n, want := range map[int]string{1: "one", 2: "two", 3: "", 4: "four"} {
		if got, ok := s.Line("a", n); !ok || string(got) != want {
			t.Errorf("line %d is %q, %v", n, got, ok)
		}
	}
	for _, n := range []int{0, -1, 5} {
		if got, ok := s.Line("a", n); ok {
			t.Errorf("line %d is %q", n, got)
		}
	}
	if _, ok := s.Line("absent", 1); ok {
		t.Error("an absent file has a line")
	}
}
