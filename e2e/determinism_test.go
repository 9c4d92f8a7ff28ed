//go:build e2e && linux

package e2e

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scangate/scangate/scanners/all"
)

// holes is a workspace with something for every scanner. Two names travel under an alias: one that is no ASCII, and one
// by which a workspace could steer a scanner.
var holes = map[string]string{
	"app/run.py":      shellPy + evalPy,
	"app/données.py":  "import pickle\n\n\ndef load(text):\n    return pickle.loads(text)\n",
	"app/.bandit":     "[bandit]\nskips = B602\n",
	"deploy.sh":       unquote,
	"tools/clean":     "#!/usr/bin/env bash\ncd $1\nrm -rf *\n",
	"Dockerfile":      sudo,
	workflow:          inject,
	"go/go.mod":       goMod,
	"go/m.go":         md5Go,
	"go/sub/run.go":   "package sub\n\nimport \"os/exec\"\n\n// Run runs.\nfunc Run(s string) error { return exec.Command(\"sh\", \"-c\", s).Run() }\n",
	"web/index.js":    "const run = (text) => eval(text);\nmodule.exports = run;\n",
	"conf/app.cfg":    "token = \"" + token + "\"\n",
	"README.md":       "# A workspace with holes\n",
	"assets/logo.bin": "\x00\x01\x02",
}

// setting is one way to run the command that must not show in its result.
type setting struct {
	name   string
	engine string
	folder string   // below the temporary folder; "" is "workspace"
	jobs   string   // "" is the default
	env    []string // over the test's own
	umask  string   // "" is the test's own
	host   string   // host name, in a namespace of its own; "" is the machine's
	laid   func(t *testing.T, dir string)
	user   bool // an ordinary user with a home of its own, and files that it alone may read
}

var settings = []setting{
	{name: "root, Docker", engine: "docker"},
	{name: "root, embedded", engine: "embedded"},
	{name: "the same again, Docker", engine: "docker"},
	{name: "the same again, embedded", engine: "embedded"},
	{name: "the engine that auto takes", engine: "auto"},
	{name: "another path, Docker", engine: "docker", folder: "a/much/deeper/path, with a blank/workspace"},
	{name: "another path, embedded", engine: "embedded", folder: "a/much/deeper/path, with a blank/workspace"},
	{name: "one core, Docker", engine: "docker", jobs: "1"},
	{name: "one core, embedded", engine: "embedded", jobs: "1"},
	{name: "eight cores, Docker", engine: "docker", jobs: "8"},
	{name: "eight cores, embedded", engine: "embedded", jobs: "8"},
	{name: "zone and language, Docker", engine: "docker", env: abroad},
	{name: "zone and language, embedded", engine: "embedded", env: abroad},
	{name: "umask 077, Docker", engine: "docker", umask: "077"},
	{name: "umask 077, embedded", engine: "embedded", umask: "077"},
	{name: "host name, Docker", engine: "docker", host: "some-other-machine"},
	{name: "host name, embedded", engine: "embedded", host: "some-other-machine"},
	{name: "files made in another order, at another time, Docker", engine: "docker", folder: "shuffled", laid: shuffled},
	{name: "files made in another order, at another time, embedded", engine: "embedded", folder: "shuffled again", laid: shuffled},
	{name: "ordinary user, embedded, nothing unpacked yet", engine: "embedded", folder: "of a user", user: true, laid: private},
	{name: "ordinary user, embedded, everything else different", engine: "embedded", folder: "of a user", user: true, jobs: "1", env: abroad, umask: "077"},
	{name: "ordinary user, Docker", engine: "docker", folder: "of a user", user: true},
}

var abroad = []string{"TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOMAXPROCS=1", "NO_COLOR=1", "TERM=dumb"}

// someone is an ordinary user of no name.
const someone = 12345

func TestOneDigest(t *testing.T) {
	needRoot(t)
	bin := command(t)
	top := openFolder(t)
	// An ordinary user may not look into the folder that the command was built in.
	bin = copyFile(t, bin, filepath.Join(top, "scangate"), 0o755)
	home := filepath.Join(top, "home")
	drop := filepath.Join(top, "drop")
	if err := cmp.Or(os.Mkdir(drop, 0o777), os.Chmod(drop, 0o777)); err != nil {
		t.Fatal(err)
	}
	digests := map[string][]string{}
	var first []byte
	for _, s := range settings {
		dir := filepath.Join(top, cmp.Or(s.folder, "workspace"))
		if _, err := os.Stat(dir); err != nil {
			lay(t, dir, slices.Sorted(maps.Keys(holes)))
		}
		if s.laid != nil {
			s.laid(t, dir)
		}
		if s.user {
			settle(t, home)
		}
		began := time.Now()
		record := filepath.Join(drop, "record")
		r := s.run(t, home, bin, "run", dir, "--format", "json", "--record", record)
		s.asNamed(t, record)
		sum := sha256.Sum256(r.stdout)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		t.Logf("%-58s %s %4.1f s", s.name, digest, time.Since(began).Seconds())
		digests[digest] = append(digests[digest], s.name)
		if r.exit != 1 {
			t.Errorf("%s: exit status %d, want 1\n%s", s.name, r.exit, r.stderr)
		}
		if want := "scangate: verdict=fail exit=1 result=" + digest + "\n"; !bytes.HasSuffix(r.stderr, []byte(want)) {
			t.Errorf("%s: stderr ends with %.300q, want %q", s.name, r.stderr, want)
		}
		if first == nil {
			first = r.stdout
			everyoneFound(t, r.stdout)
		} else if !bytes.Equal(first, r.stdout) {
			t.Errorf("%s: another result:\n%s", s.name, firstDifference(first, r.stdout))
		}
	}
	t.Logf("%d runs, digests: %d", len(settings), len(digests))
	if len(digests) != 1 {
		t.Errorf("want 1 digest, got %v", digests)
	}

	t.Run("verify says so", func(t *testing.T) {
		file := filepath.Join(top, "result.json")
		if err := os.WriteFile(file, first, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, s := range settings {
			if s.jobs != "" || s.env != nil || s.umask != "" || s.host != "" || s.laid != nil {
				continue
			}
			dir := filepath.Join(top, cmp.Or(s.folder, "workspace"))
			r := s.run(t, home, bin, "verify", file, dir)
			sum := sha256.Sum256(first)
			if want := fmt.Sprintf("same result: sha256:%x\n", sum); r.exit != 0 || string(r.stdout) != want {
				t.Errorf("%s: exit status %d, stdout %q, want %q\n%s", s.name, r.exit, r.stdout, want, r.stderr)
			}
		}
	})

	// What the tests above rely on: a result can differ, and a difference is seen.
	t.Run("one more byte in one file is another result", func(t *testing.T) {
		dir := filepath.Join(top, "changed")
		lay(t, dir, slices.Sorted(maps.Keys(holes)))
		if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(holes["README.md"]+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s := settings[1]
		if r := s.run(t, home, bin, "run", dir, "--format", "json"); r.exit != 1 || bytes.Equal(r.stdout, first) {
			t.Errorf("exit status %d, and the same result: %t", r.exit, bytes.Equal(r.stdout, first))
		}
		file := filepath.Join(top, "result.json")
		if r := s.run(t, home, bin, "verify", file, dir); r.exit == 0 || !strings.Contains(string(r.stdout), "inputs.snapshot: ") {
			t.Errorf("verify: exit status %d, stdout %q, want the snapshot named", r.exit, r.stdout)
		}
	})
}

// wrapper sets what a process inherits, then becomes the command.
const wrapper = `[ -z "$1" ] || umask "$1"
[ -z "$2" ] || echo "$2" >/proc/sys/kernel/hostname
shift 2
exec "$@"`

func (s setting) run(t *testing.T, home string, args ...string) ran {
	t.Helper()
	args = append(slices.Clone(args), "--engine", s.engine)
	if args[1] == "run" {
		args = append(args, "--as-of", day)
	}
	if s.jobs != "" {
		args = append(args, "--jobs", s.jobs)
	}
	c := program(t, "/", s.env, "/bin/sh", append([]string{"-ec", wrapper, "sh", s.umask, s.host}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{}
	if s.host != "" {
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUTS
	}
	if s.user {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: someone, Gid: someone, Groups: []uint32{dockerGroup(t)}}
		c.Env = append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, s.env...)
	}
	return await(t, c)
}

// asNamed looks into the run record whether the run was what its row says, and removes it.
func (s setting) asNamed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err := cmp.Or(err, os.Remove(file)); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	var record struct {
		Engine string `json:"engine"`
		Jobs   []struct {
			Facts struct {
				UserNamespace bool `json:"userNamespace"`
			} `json:"facts"`
		} `json:"jobs"`
		Details map[string]string `json:"details"`
	}
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatalf("%s: read run record: %v", s.name, err)
	}
	if record.Engine != s.engine && s.engine != "auto" {
		t.Errorf("%s: ran on %s", s.name, record.Engine)
	}
	for why, detail := range record.Details {
		t.Errorf("%s: %s: %s", s.name, why, detail)
	}
	if len(record.Jobs) < len(all.Catalogue) {
		t.Errorf("%s: %d jobs", s.name, len(record.Jobs))
	}
	for _, j := range record.Jobs {
		if record.Engine == "embedded" && j.Facts.UserNamespace != s.user {
			t.Errorf("%s: in a user namespace: %t", s.name, j.Facts.UserNamespace)
		}
	}
}

// dockerGroup is whose members may talk to the daemon.
func dockerGroup(t *testing.T) uint32 {
	t.Helper()
	var s syscall.Stat_t
	if err := syscall.Stat("/var/run/docker.sock", &s); err != nil {
		t.Fatalf("find Docker's socket: %v", err)
	}
	return s.Gid
}

// openFolder is a temporary folder that every user may enter, as those of testing are not.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "scangate-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lay makes the files of holes in that order.
func lay(t *testing.T, dir string, order []string) {
	t.Helper()
	for _, name := range order {
		write(t, dir, map[string]string{name: holes[name]}, nil)
	}
	if err := os.Chmod(filepath.Join(dir, "deploy.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// shuffled makes the workspace anew in another order, each file at a time of its own.
func shuffled(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	order := slices.Sorted(maps.Keys(holes))
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	lay(t, dir, order)
	for i, name := range order {
		at := time.Unix(int64(i)*1e8, int64(i))
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// private gives the workspace to the ordinary user, for whom alone its files then are.
func private(t *testing.T, dir string) {
	t.Helper()
	give(t, dir)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&0o700)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func give(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, someone, someone)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// settle gives the ordinary user the images that root has, as an OCI layout: nothing of it is unpacked.
func settle(t *testing.T, home string) {
	t.Helper()
	if _, err := os.Stat(home); err == nil {
		return
	}
	from, to := imageStore(t), filepath.Join(home, ".cache", "scangate", "images")
	blobs, err := filepath.Glob(filepath.Join(from, "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("find root's images in %s: %d blobs, %v", from, len(blobs), err)
	}
	if err := os.MkdirAll(filepath.Join(to, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oci-layout", "index.json"} {
		copyFile(t, filepath.Join(from, name), filepath.Join(to, name), 0o644)
	}
	give(t, home)
	// The contents keep their owner: with a name in another folder, the user can read them and not change them.
	for _, b := range blobs {
		at := filepath.Join(to, "blobs", "sha256", filepath.Base(b))
		if os.Link(b, at) != nil { // another file system
			copyFile(t, b, at, 0o644)
		}
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) string {
	t.Helper()
	r, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(w, r)
	if err := cmp.Or(err, w.Chmod(mode), w.Close()); err != nil {
		t.Fatal(err)
	}
	return to
}

// everyoneFound: a result in which some scanner had nothing to say would hold it to nothing.
func everyoneFound(t *testing.T, text []byte) {
	t.Helper()
	d := decode(t, text)
	if d.Verdict != "fail" {
		t.Errorf("verdict %s, want fail", d.Verdict)
	}
	if len(d.Scanners) != len(all.Catalogue) {
		t.Errorf("%d scanners, want %d", len(d.Scanners), len(all.Catalogue))
	}
	count := map[string]int{}
	for _, f := range d.Findings {
		count[f.Scanner]++
	}
	for _, s := range d.Scanners {
		if s.Status != "found" || count[s.Name] == 0 {
			t.Errorf("%s: %s %v with %d findings, want found", s.Name, s.Status, s.Reasons, count[s.Name])
		}
	}
}

// firstDifference shows both texts where they part.
func firstDifference(a, b []byte) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	near := func(x []byte) []byte { return x[max(0, min(i, len(x))-200):min(len(x), i+200)] }
	return fmt.Sprintf("at byte %d\nfirst: …%s…\nnow:   …%s…", i, near(a), near(b))
}
