package workspace

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The reference is git itself, on repositories made here, without anybody's configuration.

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent", "LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, err.(*exec.ExitError).Stderr)
	}
	return string(out)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func snapshot(t *testing.T, dir string) *Snapshot {
	t.Helper()
	s, err := Take(t.Context(), dir, Options{Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func paths(s *Snapshot) []string {
	var out []string
	for _, f := range s.Files {
		out = append(out, f.Path)
	}
	return out
}

// seen is every name that a snapshot knows of.
func seen(s *Snapshot) []string {
	out := paths(s)
	for _, l := range s.LeftOut {
		out = append(out, l.Path)
	}
	slices.Sort(out)
	return out
}

// listed is what git has in scope and is on disk.
func listed(t *testing.T, dir string) []string {
	var out []string
	for name := range strings.SplitSeq(git(t, dir, "ls-files", "-co", "--exclude-per-directory=.gitignore", "-z"), "\x00") {
		if info, err := os.Lstat(filepath.Join(dir, name)); name != "" && err == nil && !info.IsDir() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var (
	someNames = []string{"a", "b", "ab", "A", "foo", "foo.c", "bar.h", ".h", "x y", "tr ", "é", "[a]", "a*b", `a\b`, "#x", "!n", "-d", "a-b", "a\tb", "\xff"}
	somePart  = []string{"**/", "**/", "/**/", "a", "b", "A", "foo", "bar", ".c", ".h", "*", "*", "?", "**", "[ab]", "[!a]", "[^a-c]", "[a-", "[]a]", "[[:alpha:]]",
		"[[:space:]b]", "[[:nope:]]", "[a-z-.]", `[\]a]`, `[b-\x]`, `\`, `\*`, `\[a]`, "é", "x y", "-", "#", "!", " ", `\ `, "[[:punct:]]", "\xff"}
)

func randomName(r *rand.Rand) string {
	var parts []string
	for range 1 + r.IntN(3) {
		parts = append(parts, someNames[r.IntN(len(someNames))])
	}
	return strings.Join(parts, "/")
}

func randomIgnore(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(8) == 0 {
		b.WriteString("\xef\xbb\xbf")
	}
	for range 2 + r.IntN(8) {
		if r.IntN(4) == 0 {
			b.WriteString("!")
		}
		if r.IntN(4) == 0 {
			b.WriteString("/")
		}
		switch r.IntN(3) {
		case 0:
			b.WriteString(randomName(r))
		case 1:
			b.WriteString(someNames[r.IntN(len(someNames))])
		default:
			for i := range 1 + r.IntN(3) {
				if i > 0 && r.IntN(2) == 0 {
					b.WriteString("/")
				}
				for range 1 + r.IntN(3) {
					b.WriteString(somePart[r.IntN(len(somePart))])
				}
			}
		}
		b.WriteString([]string{"", "", "", "/", "  ", `\ `, "/**", "//", "\x00a"}[r.IntN(9)])
		b.WriteString([]string{"\n", "\n", "\n", "\r\n", "\n\n"}[r.IntN(5)])
	}
	return strings.TrimSuffix(b.String(), strings.Repeat("\n", r.IntN(2)))
}

const cases = 250

func TestTheScopeIsWhatGitSays(t *testing.T) {
	hidden, tracked := 0, 0
	for seed := range uint64(cases) {
		r := rand.New(rand.NewPCG(seed, 7))
		dir := t.TempDir()
		format, version := "sha1", 2+2*r.IntN(2)
		if r.IntN(3) == 0 {
			format = "sha256"
		}
		write(t, dir, map[string]string{
			".git/HEAD": "ref: refs/heads/main\n", ".git/objects/.keep": "", ".git/refs/.keep": "",
			".git/config": fmt.Sprintf("[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = %s\n[index]\nversion = %d\n", format, version),
			// What is not in the tree is not asked.
			".git/info/exclude": "*\n",
		})
		all := 0
		add := []string{"add", "-f", "--"}
		for range 3 + r.IntN(25) {
			name := randomName(r)
			at := filepath.Join(dir, name)
			if os.MkdirAll(filepath.Dir(at), 0o755) != nil {
				continue
			}
			if real, err := filepath.EvalSymlinks(filepath.Dir(at)); err != nil || real != filepath.Dir(at) {
				continue
			}
			if _, err := os.Lstat(at); err == nil {
				continue
			}
			var err error
			if r.IntN(8) == 0 {
				err = os.Symlink(someNames[r.IntN(len(someNames))], at)
			} else {
				err = os.WriteFile(at, []byte(name), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			all++
			if r.IntN(4) == 0 {
				add = append(add, ":(literal)"+name)
			}
		}
		if len(add) > 3 {
			git(t, dir, add...)
			tracked += len(add) - 3
			if r.IntN(3) == 0 { // deleted on disk
				os.Remove(filepath.Join(dir, strings.TrimPrefix(add[3], ":(literal)")))
			}
		}
		text := map[string]string{}
		for _, at := range []string{".gitignore", "a/.gitignore", "foo/.gitignore", "a/b/.gitignore"} {
			if info, err := os.Lstat(filepath.Join(dir, filepath.Dir(at))); err == nil && info.IsDir() && r.IntN(3) > 0 {
				text[at] = randomIgnore(r)
			}
		}
		write(t, dir, text)

		want := listed(t, dir)
		if got := seen(snapshot(t, dir)); !slices.Equal(got, want) {
			t.Fatalf("seed %d, ignores %q\n got %q\nwant %q", seed, text, got, want)
		}
		hidden += all + len(text) - len(want)
	}
	if hidden < 200 || tracked < 500 {
		t.Errorf("only %d files were ignored and %d tracked: the cases prove too little", hidden, tracked)
	}
}

func TestEachPatternMatchesWhatGitMatches(t *testing.T) {
	patterns := []string{
		"a", "/a", "a/", "/a/", "a/b", "/a/b", "a/b/", "b/", "*", "/*", "*/", "*/*", "**", "**/", "/**", "**/b", "**/a/b", "a/**", "a/**/", "a/**/c", "a/**/b/**/c",
		"a**", "a**/b", "**b", "a/**b", "a/b**", "***", "a/***/c", "a/*/c", "*/b", "*.c", "*c", "?", "a?b", "a/?", "[ab]", "[!a]", "[^a]", "[a-c]", "[c-a]", "[]]", "[!]]", "[]-a]", "[a-]", "[-a]",
		"[a", "[", "[]", "[a]]", "[[]", "[\\]]", "[a\\]", "[a-\\c]", "[[:alpha:]]", "[[:digit:]]", "[[:space:]]", "[[:upper:]x]", "[[:lower:]-z]", "[[:xdigit:]]", "[[:punct:]]", "[[:print:]]", "[[:graph:]]",
		"[[:cntrl:]]", "[[:blank:]]", "[[:alnum:]]", "[![:alnum:]]", "[[:alpha]", "[[:alpha:]", "[[:x:]]", "[[:]", "[[::]]", "[:alpha:]", "[a-[:digit:]]", "[[:digit:]-z]", "[.-0]", "a[/]b", "a[!x]b", "[[a]", "[a-c-e]", "[--a]",
		"\\a", "\\", "a\\", "\\*", "\\?", "\\[a]", "\\#", "\\!", "#", "!", "!a", "/", "//", "///a", "a//", "a//b", "./a", "../a", "a/.", " a", "a ", "a\\ ", "a\\  ", "  ", "\\ ", "a\\\\ ", "a\t", "a\r", "a\r\r", "a\x00b", "\xc3\xa9", "\xff", "?\xff", "[\xff]", "[\x80-\xff]",
		"*\n!a", "*\n!*/\n!*.c", "a/\n!a/b", "a/*\n!a/b", "*\n!/a\n!/a/b", "\xef\xbb\xbfa", "\xef\xbb\xbf#\na", "A", "*.C", "**/[ab]/**", "a*/**/c", "x\\/y", "a/\\*", "**\\/b", "a/**\\/c",
	}
	files := map[string]string{".git/HEAD": "ref: refs/heads/main\n", ".git/objects/.keep": "", ".git/refs/.keep": ""}
	for _, n := range []string{"a/b/c", "a/c", "a/b/x/c", "b/a/b/c", "b/b", "c", "ab", "abc", "axb/b", "x.c", "d/x.c", "x.C", "#", "!", "!a", "[", "]", "[a]", "\\", "*", "?", "-", "0", "9", " ", " a", "a ", "a  ", "\t", "a\t", "a\r", "\x01", "é", "\xff", "x\xff", "z", "Z", "f", "F", "e", ".", "a]", ":", "a:", "x/y", "a\\", "[[:x:]]", "a\nb", "d/a", "d/e/a/f"} {
		if n != "." {
			files[n] = ""
		}
	}
	dir := t.TempDir()
	write(t, dir, files)
	for _, p := range patterns {
		write(t, dir, map[string]string{".gitignore": p + "\n"})
		if got, want := seen(snapshot(t, dir)), listed(t, dir); !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", p, got, want)
		}
	}
}

func TestIndexFormats(t *testing.T) {
	sum := func(data []byte) []byte {
		s := sha1.Sum(data[:len(data)-20])
		return append(data[:len(data)-20], s[:]...)
	}
	zero := func(data []byte) []byte { clear(data[len(data)-20:]); return data }
	extension := func(name, body string) func([]byte) []byte {
		return func(data []byte) []byte {
			data = append(data[:len(data)-20], name...)
			data = append(data, 0, 0, 0, byte(len(body)))
			return sum(append(append(data, body...), make([]byte, 20)...))
		}
	}
	rows := []struct {
		name   string
		setup  []string
		change func([]byte) []byte
		want   string // in the error; "" for none
	}{
		{"version 2", nil, nil, ""},
		{"version 3 has extended flags", []string{"add -N later.log"}, nil, ""},
		{"version 4 compresses names", []string{"update-index --index-version 4"}, nil, ""},
		{"a checksum that was skipped is zero", nil, zero, ""},
		{"an extension that may be ignored is", nil, extension("ZZZZ", "abc"), ""},
		{"an extension that must be understood is refused", nil, extension("zzzz", "abc"), `extension "zzzz" is not known`},
		{"a flipped bit is refused", nil, func(d []byte) []byte { d[70] ^= 1; return d }, "checksum"},
		{"a cut file is refused", nil, func(d []byte) []byte { return d[:len(d)-30] }, "checksum"},
		{"an unknown version is refused", nil, func(d []byte) []byte { d[7] = 9; return sum(d) }, "version 9 is not known"},
		{"a count beyond the file is refused", nil, func(d []byte) []byte { d[8] = 0x7f; return sum(d) }, "it ends too early"},
		{"another file is refused", nil, func([]byte) []byte { return []byte("hello") }, "not a git index"},
		{"a split index is refused with the way out", []string{"update-index --split-index"}, nil, "--no-split-index"},
	}
	// The second name drops more than 127 bytes of the first: in version 4 that takes two bytes to say.
	long, longer := "long/a"+strings.Repeat("x", 240)+".log", "long/b.log"
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			git(t, dir, "init", "-q")
			write(t, dir, map[string]string{".gitignore": "*.log\n", "a.log": "", "dir/b.log": "", "dir/bb.log": "", "later.log": "", "free.log": "", "free.txt": "", long: "", longer: ""})
			git(t, dir, "add", "-f", "a.log", "dir", "long")
			for _, s := range r.setup {
				args := strings.Fields(s)
				if args[0] == "add" {
					args = slices.Insert(args, 1, "-f")
				}
				git(t, dir, args...)
			}
			at := filepath.Join(dir, ".git/index")
			if r.change != nil {
				data, err := os.ReadFile(at)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, r.change(data), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s, err := Take(t.Context(), dir, Options{Store: t.TempDir()})
			if r.want != "" {
				if err == nil || !strings.Contains(err.Error(), r.want) {
					t.Fatalf("got error %v, want %q", err, r.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			want := []string{".gitignore", "a.log", "dir/b.log", "dir/bb.log", "free.txt", long, longer}
			if len(r.setup) > 0 && strings.HasPrefix(r.setup[0], "add") {
				want = slices.Insert(want, 5, "later.log")
			}
			if got := paths(s); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestSparseIndexIsRefused(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, dir, map[string]string{"in/a": "", "out/b": "", "out/c": ""})
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")
	git(t, dir, "sparse-checkout", "set", "--cone", "--sparse-index", "in")
	_, err := Take(t.Context(), dir, Options{Store: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "--no-sparse-index") {
		t.Fatalf("got %v", err)
	}
}

func TestWorktreesAndSubmodulesHaveTheirIndexElsewhere(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "main")
	write(t, dir, map[string]string{".gitignore": "*.log\nsub/\n", "kept.log": "", "loose.log": ""})
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-f", ".gitignore", "kept.log")
	git(t, dir, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")
	tree := filepath.Join(base, "tree")
	git(t, dir, "worktree", "add", "-q", tree)
	write(t, tree, map[string]string{"loose.log": "", "new.txt": ""})
	if got, want := paths(snapshot(t, tree)), []string{".gitignore", "kept.log", "new.txt"}; !slices.Equal(got, want) {
		t.Errorf("worktree: got %q, want %q", got, want)
	}

	// A submodule's files are in scope although a rule ignores its folder: it is tracked. So is what a rule ignores and the
	// submodule tracks, and what is in a nested repository.
	git(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "-f", tree, "sub")
	write(t, dir, map[string]string{"nested/x.py": "", "sub/y.py": "", "sub/z.log": ""})
	git(t, filepath.Join(dir, "nested"), "init", "-q")
	want := []string{".gitignore", ".gitmodules", "kept.log", "nested/x.py", "sub/.gitignore", "sub/kept.log", "sub/y.py"}
	if got := paths(snapshot(t, dir)); !slices.Equal(got, want) {
		t.Errorf("submodule: got %q, want %q", got, want)
	}

	if err := os.WriteFile(filepath.Join(tree, ".git"), []byte("gitdir: ../gone\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), tree, Options{Store: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "read .git: it names") {
		t.Errorf("a .git that leads nowhere: got %v", err)
	}
}

func TestNothingThatTheConfigurationNamesIsExecuted(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, dir, map[string]string{"a.py": "", ".gitattributes": "* filter=evil diff=evil\n"})
	git(t, dir, "add", ".")
	marker := filepath.Join(t.TempDir(), "executed")
	run := "touch " + marker
	config := fmt.Sprintf("[core]\nfsmonitor = %[1]q\nhooksPath = /\nsshCommand = %[1]q\npager = %[1]q\n[filter \"evil\"]\nclean = %[1]q\nsmudge = %[1]q\nprocess = %[1]q\n[diff \"evil\"]\ntextconv = %[1]q\n", run)
	write(t, dir, map[string]string{".git/config": config, "a.py": "changed"})
	if got, want := paths(snapshot(t, dir)), []string{".gitattributes", "a.py"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program from .git/config was executed")
	}
}

func TestWithoutGitEveryFileIsInScope(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".gitignore": "*\n", "a/.git/config": "", "a/b": "", "c/.GIT/x": ""})
	if got, want := paths(snapshot(t, dir)), []string{".gitignore", "a/b", "c/.GIT/x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
