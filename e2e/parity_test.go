//go:build e2e && linux

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/images/store"
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/all"
	"github.com/scangate/scangate/scanners/inline"
)

// parcel is a published package: what its registry's ordinary client gives under a pinned hash.
type parcel struct {
	name, version string
	sum           string                                   // hex SHA-256 of the file, or h1: of the module (dirhash)
	fetch         func(t *testing.T, p parcel, dir string) // unpacks it into dir
}

// Between them they give every scanner something to find.
var parcels = []parcel{
	{"ansible-runner", "2.1.4", "cab42e4891187b350d059f4b5cdb337e2c47aa86a2579b09418a926428a74cff", fromPip},
	{"redis-commander", "0.8.0", "ff2055ab0ab76400f7159f31eef9faa527b3ed959cbd89dc7a8ac054597609bf", fromNpm},
	{"github.com/lib/pq", "v1.10.9", "h1:YXG7RB+JIjhP29X+OtkiDnYaXQwpS4JEWq7dtCCRUEw=", fromGo},
	{"github.com/jpillora/chisel", "v1.9.1", "h1:nGOF58+45WHlvDcq6AZu7En8nWOBCZHqj9boo5rB4qU=", fromGo}, // has dependencies
}

// hit is a finding as far as two readers must agree on it.
type hit struct {
	rule, path string
	line       int
}

func (h hit) String() string { return fmt.Sprintf("%s:%d %s", h.path, h.line, h.rule) }

// bare is what a person would do who runs the tool by hand, told apart from the adapter: which files to name (nil: the
// tool looks for itself), and what its output says. Paths come as the tool prints them.
type bare struct {
	names func(name, firstLine string) bool
	read  func(out []byte) ([]hit, error)
}

var tools = map[string]bare{
	"actionlint": {workflows, readActionlint},
	"bandit":     {endsIn(`\.py$`, `python`), readBandit},
	"gitleaks":   {nil, readGitleaks},
	"gosec":      {nil, readGosec},
	"hadolint":   {endsIn(`(^|/|\.)(Docker|Container)file$|(^|/)(Docker|Container)file\.`, ``), readHadolint},
	"ruff":       {endsIn(`\.pyi?$`, `python`), readRuff},
	"semgrep":    {endsIn(`\.(pyi?|[cm]?js|jsx|tsx?|go|java|rb|php)$`, ``), readSemgrep},
	"shellcheck": {endsIn(`\.(sh|bash|bats|dash|ksh)$`, `(sh|bash|bats|dash|ksh)`), readShellcheck},
	"zizmor":     {actions, readZizmor},
}

func workflows(name, _ string) bool {
	return path.Dir(name) == ".github/workflows" && (path.Ext(name) == ".yml" || path.Ext(name) == ".yaml")
}

// actions are what GitHub itself reads of a repository, as far as zizmor knows it.
func actions(name, line string) bool {
	switch path.Base(name) {
	case "action.yml", "action.yaml":
		return true
	case "dependabot.yml", "dependabot.yaml":
		return path.Dir(name) == ".github"
	}
	return workflows(name, line)
}

func endsIn(name, interpreter string) func(string, string) bool {
	byName := regexp.MustCompile(name)
	byLine := regexp.MustCompile(`^#!.*[/ ]` + interpreter + `[0-9]?( |$)`)
	return func(name, firstLine string) bool {
		if strings.HasSuffix(name, ".min.js") || strings.HasSuffix(name, ".d.ts") || strings.HasSuffix(name, ".dockerignore") {
			return false // none of the tools looks into such a file, named or not
		}
		return byName.MatchString(name) || interpreter != "" && path.Ext(name) == "" && byLine.MatchString(firstLine)
	}
}

func TestParity(t *testing.T) {
	needRoot(t)
	bin := command(t)
	modules := filepath.Join(t.TempDir(), "gomod")
	t.Setenv("GOMODCACHE", modules)
	total := map[string]int{}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-11s %-36s %5s %9s\n", "scanner", "package", "bare", "scangate")
	for _, p := range parcels {
		dir := filepath.Join(t.TempDir(), "package")
		p.fetch(t, p, dir)
		r := runIn(t, t.TempDir(), nil, bin, "run", dir, "--format", "json", "--engine", "docker", "--as-of", day)
		if r.exit != 0 && r.exit != 1 {
			t.Errorf("%s: exit status %d\n%s", p.name, r.exit, r.stderr)
		}
		d := decode(t, r.stdout)
		for _, s := range all.Catalogue {
			ours, theirs := d.hits(t, p, s), bareHits(t, s, dir, modules)
			if only := without(theirs, ours); len(only) > 0 {
				t.Errorf("%s on %s: only the bare tool finds %v", s.Name, p.name, only)
			}
			if only := without(ours, theirs); len(only) > 0 {
				t.Errorf("%s on %s: only scangate finds %v", s.Name, p.name, only)
			}
			if len(ours)+len(theirs) > 0 {
				fmt.Fprintf(&table, "%-11s %-36s %5d %9d\n", s.Name, p.name+" "+p.version, len(theirs), len(ours))
			}
			total[s.Name] += len(theirs)
		}
	}
	t.Log(table.String())
	for _, s := range all.Catalogue {
		if total[s.Name] == 0 {
			t.Errorf("%s finds nothing in any of the packages: the comparison shows nothing", s.Name)
		}
	}
}

// hits are one scanner's findings in the result document. One rule is scangate's own: the inventory of comments that
// switch checks off, for tools that have no flag to disregard them. The bare tool cannot have it.
func (d document) hits(t *testing.T, p parcel, s scanners.Scanner) []hit {
	t.Helper()
	for _, x := range d.Scanners {
		if x.Name == s.Name && x.Status == string(scanners.Broken) {
			t.Errorf("%s on %s: broken %v", s.Name, p.name, x.Reasons)
		}
	}
	var hits []hit
	inventory := 0
	for _, f := range d.Findings {
		switch {
		case f.Scanner != s.Name:
		case f.Rule == inline.Rule:
			inventory++
		default:
			hits = append(hits, hit{f.Rule, f.Path, f.StartLine})
		}
	}
	if inventory > 0 {
		t.Logf("%s on %s: scangate lists %d inline directives besides", s.Name, p.name, inventory)
	}
	return hits
}

// without returns what is in a more often than in b.
func without(a, b []hit) []hit {
	count := map[hit]int{}
	for _, h := range b {
		count[h]++
	}
	var out []hit
	for _, h := range a {
		if count[h]--; count[h] < 0 {
			out = append(out, h)
		}
	}
	return out
}

// bareHits runs the tool out of its image's root file system, over the package as it was published.
func bareHits(t *testing.T, s scanners.Scanner, dir, modules string) []hit {
	t.Helper()
	tool := tools[s.Name]
	var files []string
	for _, name := range published(t, dir, tool.names) {
		files = append(files, path.Join(scanners.Workspace, name))
	}
	wd := "/tmp"
	if s.Root != "" {
		// In each of these packages there is one project at most, at its root.
		if _, err := os.Stat(filepath.Join(dir, s.Root)); err != nil {
			return nil
		}
		wd = scanners.Workspace
	} else if len(files) == 0 {
		return nil
	}
	r := runBare(t, s, dir, modules, wd, files)
	if _, ok := s.Exits[r.exit]; !ok {
		t.Fatalf("%s: bare: exit status %d\n%.2000s", s.Name, r.exit, r.stderr)
	}
	hits, err := tool.read(r.stdout)
	if err != nil {
		t.Fatalf("%s: bare: %v\n%.2000s\n%.2000s", s.Name, err, r.stdout, r.stderr)
	}
	for i := range hits {
		if !path.IsAbs(hits[i].path) {
			hits[i].path = path.Join(wd, hits[i].path)
		}
		hits[i].path = strings.TrimPrefix(hits[i].path, scanners.Workspace+"/")
	}
	return hits
}

// published lists the regular files of a package that take accepts, all of them where take is nil.
func published(t *testing.T, dir string, take func(name, firstLine string) bool) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		line, _, _ := strings.Cut(string(text[:min(len(text), 200)]), "\n")
		if take == nil || take(name, line) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// chroot lays the image's root file system, the package, the adapter's configuration and the Go modules out as a job has
// them, in a mount namespace of its own, and runs the tool there: no container, no init, no sandbox.
const chroot = `lower=$1 package=$2 config=$3 modules=$4 wd=$5 top=$6
shift 6
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
cd "$top/root"
mkdir -p workspace scangate/config scangate/gomod proc dev tmp
mount --bind "$package" workspace
mount --bind "$config" scangate/config
mount --bind "$modules" scangate/gomod
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs -o mode=1777 tmpfs tmp
exec env -i "$@"`

func runBare(t *testing.T, s scanners.Scanner, dir, modules, wd string, files []string) ran {
	t.Helper()
	config, top := filepath.Join(t.TempDir(), "config"), t.TempDir()
	if err := os.Mkdir(config, 0o755); err != nil {
		t.Fatal(err)
	}
	if s.Config != nil {
		if err := os.CopyFS(config, s.Config); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(modules, 0o755); err != nil {
		t.Fatal(err)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--mount", "--propagation", "private", "--", "/bin/sh", "-ec", chroot, "sh",
		rootfs(t, s), dir, config, modules, wd, top}
	args = append(args, s.Env...)
	args = append(args, unshare, "--root", filepath.Join(top, "root"), "--wd", wd, "--")
	for _, a := range s.Command {
		if a == scanners.Files {
			args = append(args, files...)
		} else {
			args = append(args, a)
		}
	}
	return runIn(t, "/", nil, unshare, args...)
}

// rootfs is the unpacked image that the lock pins, from the command's own store.
func rootfs(t *testing.T, s scanners.Scanner) string {
	t.Helper()
	lock, err := images.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	pin, err := lock.Pin(s.Name, "linux/"+runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(imageStore(t))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := st.Rootfs(context.Background(), pin)
	if err != nil {
		t.Fatalf("find the root file system of %s: %v", s.Name, err)
	}
	return dir
}

// The readers below are the tests' own, so that a fault of an adapter's reader is not on both sides.

func read[T any](out []byte, each func(T) []hit) ([]hit, error) {
	var v T
	if err := json.Unmarshal(out, &v); err != nil {
		return nil, err
	}
	return each(v), nil
}

func readActionlint(out []byte) ([]hit, error) {
	type message struct {
		Kind, Filepath string
		Line           int
	}
	return read(out, func(all []message) (hits []hit) {
		for _, m := range all {
			hits = append(hits, hit{m.Kind, m.Filepath, m.Line})
		}
		return hits
	})
}

func readBandit(out []byte) ([]hit, error) {
	type report struct {
		Results []struct {
			Test string `json:"test_id"`
			File string `json:"filename"`
			Line int    `json:"line_number"`
		}
	}
	return read(out, func(r report) (hits []hit) {
		for _, x := range r.Results {
			hits = append(hits, hit{x.Test, x.File, x.Line})
		}
		return hits
	})
}

func readGitleaks(out []byte) ([]hit, error) {
	type leak struct {
		RuleID, File string
		StartLine    int
	}
	return read(out, func(all []leak) (hits []hit) {
		for _, l := range all {
			hits = append(hits, hit{l.RuleID, l.File, l.StartLine})
		}
		return hits
	})
}

// readGosec takes an issue once that gosec prints more than once, equal to the letter: it loads a package again for each
// folder without files to build beside it (2.29.0).
func readGosec(out []byte) ([]hit, error) {
	type issue struct {
		Rule                                        string `json:"rule_id"`
		Severity, Confidence, Details, File, Column string
		Line                                        string
	}
	type report struct{ Issues []issue }
	var failed error
	hits, err := read(out, func(r report) (hits []hit) {
		seen := map[issue]bool{}
		for _, i := range r.Issues {
			if seen[i] {
				continue
			}
			seen[i] = true
			h := hit{rule: i.Rule, path: i.File}
			if _, err := fmt.Sscanf(i.Line, "%d", &h.line); err != nil {
				failed = err
			}
			hits = append(hits, h)
		}
		return hits
	})
	return hits, cmp.Or(err, failed)
}

func readHadolint(out []byte) ([]hit, error) {
	type message struct {
		Code, File string
		Line       int
	}
	return read(out, func(all []message) (hits []hit) {
		for _, m := range all {
			hits = append(hits, hit{m.Code, m.File, m.Line})
		}
		return hits
	})
}

func readRuff(out []byte) ([]hit, error) {
	type message struct {
		Code, Filename string
		Location       struct{ Row int }
	}
	return read(out, func(all []message) (hits []hit) {
		for _, m := range all {
			hits = append(hits, hit{m.Code, m.Filename, m.Location.Row})
		}
		return hits
	})
}

func readSemgrep(out []byte) ([]hit, error) {
	type report struct {
		Results []struct {
			Check string `json:"check_id"`
			Path  string
			Start struct{ Line int }
		}
	}
	return read(out, func(r report) (hits []hit) {
		for _, x := range r.Results {
			hits = append(hits, hit{x.Check, x.Path, x.Start.Line})
		}
		return hits
	})
}

func readShellcheck(out []byte) ([]hit, error) {
	type report struct {
		Comments []struct {
			File       string
			Line, Code int
		}
	}
	return read(out, func(r report) (hits []hit) {
		for _, c := range r.Comments {
			hits = append(hits, hit{fmt.Sprint("SC", c.Code), c.File, c.Line})
		}
		return hits
	})
}

// readZizmor: zizmor counts rows from 0, and calls that place primary which a finding is about.
func readZizmor(out []byte) ([]hit, error) {
	type place struct {
		Symbolic struct {
			Kind string
			Key  struct {
				Local struct {
					Path string `json:"verbatim_path"`
				}
			}
		}
		Concrete struct {
			Location struct {
				Start struct{ Row int } `json:"start_point"`
			}
		}
	}
	type finding struct {
		Ident     string
		Locations []place
	}
	return read(out, func(all []finding) (hits []hit) {
		for _, f := range all {
			if i := slices.IndexFunc(f.Locations, func(p place) bool { return p.Symbolic.Kind == "Primary" }); i >= 0 {
				p := f.Locations[i]
				hits = append(hits, hit{f.Ident, p.Symbolic.Key.Local.Path, p.Concrete.Location.Start.Row + 1})
			}
		}
		return hits
	})
}
