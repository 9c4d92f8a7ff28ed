package plan

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

const digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// perFile is a scanner of single files, whole one of Go modules.
func perFile() scanners.Scanner {
	return scanners.Scanner{Name: "perfile", Version: "1", Scope: scanners.FileScope,
		Inputs:   scanners.Inputs{Globs: []string{"**/*.py"}},
		Controls: []string{".perfile"},
		Command:  []string{"/usr/bin/perfile", "--", scanners.Files},
		Needs:    scanners.Needs{Memory: 1 << 30, Timeout: time.Minute},
		Config:   fstest.MapFS{"rules.yaml": {Data: []byte("rules: []")}},
		Canary:   scanners.Canary{Files: map[string]string{"scangate-canary.py": "eval(x)"}, Path: "scangate-canary.py", Rule: "R1"}}
}

func whole() scanners.Scanner {
	return scanners.Scanner{Name: "whole", Version: "1", Scope: scanners.ProjectScope, Root: "go.mod",
		Inputs: scanners.Inputs{Globs: []string{"**/*.go"}}, Context: []string{"**/go.mod"},
		Command: []string{"/usr/bin/whole", "./..."},
		Excuse: func(path string, content []byte) string {
			if strings.Contains(string(content), "//go:build ignore") {
				return "build-constraint"
			}
			return ""
		},
		Canary: scanners.Canary{Files: map[string]string{"go.mod": "module canary", "scangate-canary.go": "package canary"}, Path: "scangate-canary.go", Rule: "R2"}}
}

func take(t *testing.T, files map[string]string) *workspace.Snapshot {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := workspace.Take(context.Background(), dir, workspace.Options{Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func request(ss ...scanners.Scanner) Request {
	lock := images.Lock{Schema: images.LockSchema, Adapters: scanners.Version, Images: map[string]images.Image{}}
	for _, s := range ss {
		lock.Images[s.Name] = images.Image{Source: images.FromRecipe, Platforms: map[string]images.Pin{"linux/amd64": {Manifest: digestA, Config: digestA, Size: 1}}}
	}
	return Request{Scanners: ss, Lock: lock, Policy: policy.Default(), Platform: "linux/amd64"}
}

func only(t *testing.T, r Request, f Files) Scan {
	t.Helper()
	p, err := Make(r, f)
	if err != nil {
		t.Fatal(err)
	}
	return p.Scans[0]
}

func TestAFileScopedScannerHasItsCanaryInItsView(t *testing.T) {
	s := only(t, request(perFile()), take(t, map[string]string{"a.py": "a", "b/c.py": "c", ".perfile": "off", "readme": "x"}))
	want := []string{"a.py", "b/c.py", "scangate-canary.py"}
	if len(s.Jobs) != 1 || !slices.Equal(s.Jobs[0].Targets, want) {
		t.Fatalf("jobs %+v, want one with targets %v", s.Jobs, want)
	}
	if got, want := s.Jobs[0].Command[2:], []string{"/workspace/a.py", "/workspace/b/c.py", "/workspace/scangate-canary.py"}; !slices.Equal(got, want) {
		t.Errorf("arguments %v, want %v", got, want)
	}
	if s.InScope != 2 || s.Canary != nil || s.Jobs[0].Bytes != int64(len("a"+"c"+"eval(x)")) {
		t.Errorf("in scope %d, canary job %v, %d bytes", s.InScope, s.Canary, s.Jobs[0].Bytes)
	}
}

func TestProjectsGetAJobEachAndACanaryOfTheirOwn(t *testing.T) {
	s := only(t, request(whole()), take(t, map[string]string{
		"m/go.mod": "module m", "m/a.go": "package m", "m/sub/b.go": "package sub", "m/in/go.mod": "module in", "m/in/c.go": "package in",
		".tools/go.mod": "module tools", ".tools/d.go": "package tools",
		"stray.go": "package stray", "m/gen.go": "//go:build ignore",
	}))
	got := map[string][]string{}
	for _, j := range s.Jobs {
		got[j.Dir] = j.Targets
	}
	want := map[string][]string{"m": {"m/a.go", "m/sub/b.go"}, "m/in": {"m/in/c.go"}, ".tools": {".tools/d.go"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("jobs %v, want %v", got, want)
	}
	excused := []scanners.Unread{{Path: "m/gen.go", Reason: "build-constraint"}}
	if !reflect.DeepEqual(s.Excused, excused) {
		t.Errorf("excused %v, want %v", s.Excused, excused)
	}
	strays := []scanners.Unread{{Path: "stray.go", Reason: "no-project"}}
	if !reflect.DeepEqual(s.Strays, strays) {
		t.Errorf("strays %v, want %v", s.Strays, strays)
	}
	if s.Canary == nil || len(s.Canary.View.Entries) != 2 || s.InScope != 6 {
		t.Errorf("canary %+v, in scope %d", s.Canary, s.InScope)
	}
}

func TestWhatCannotRunSaysWhy(t *testing.T) {
	for _, row := range []struct {
		name   string
		files  map[string]string
		change func(*Request)
		status scanners.Status
		reason scanners.Code
	}{
		{"no file in scope is not applicable", map[string]string{"a.txt": ""}, func(*Request) {}, scanners.NotApplicable, scanners.NoInput},
		{"no image in the lock is not configured", map[string]string{"a.go": ""}, func(r *Request) { r.Lock.Images = nil }, scanners.NotConfigured, scanners.NotLocked},
		{"no image for this platform is not configured", map[string]string{"a.go": ""}, func(r *Request) { r.Platform = "linux/arm64" }, scanners.NotConfigured, scanners.NotLocked},
		{"files in scope and none to be read is broken", map[string]string{"a.go": ""}, func(*Request) {}, scanners.Broken, scanners.NothingRead},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := request(whole())
			row.change(&r)
			if s := only(t, r, take(t, row.files)); s.Status != row.status || s.Reason != row.reason || len(s.Jobs) != 0 {
				t.Errorf("%s %s with %d jobs, want %s %s and none", s.Status, s.Reason, len(s.Jobs), row.status, row.reason)
			}
		})
	}
}

func TestArgumentsAreSplitIntoJobsThatFit(t *testing.T) {
	files := map[string]string{}
	long := strings.Repeat("d", 190)
	for i := range 6000 {
		files[filepath.Join(long, strings.Repeat("x", 1+i%7)+time.Duration(i).String()+".py")] = ""
	}
	s := only(t, request(perFile()), take(t, files))
	if len(s.Jobs) < 2 {
		t.Fatalf("%d jobs for 6000 long paths", len(s.Jobs))
	}
	seen := map[string]int{}
	for _, j := range s.Jobs {
		size := 0
		for _, a := range j.Command {
			size += len(a) + 9
		}
		if size > 1<<20+4096 {
			t.Errorf("a job has %d bytes of arguments", size)
		}
		if !slices.Contains(j.Targets, "scangate-canary.py") || !slices.IsSorted(j.Targets) {
			t.Error("a job has no canary, or unsorted targets")
		}
		for _, p := range j.Targets {
			seen[p]++
		}
	}
	if len(seen) != 6001 {
		t.Errorf("%d files in all jobs, want 6001", len(seen))
	}
	for p, n := range seen {
		if p != "scangate-canary.py" && n != 1 {
			t.Errorf("%s is in %d jobs", p, n)
		}
	}
}

func TestTheDigestNamesAllThatCanChangeTheAnswer(t *testing.T) {
	files := map[string]string{"a.py": "a"}
	base := only(t, request(perFile()), take(t, files)).Digest
	for _, row := range []struct {
		name   string
		change func(*scanners.Scanner, *Request, map[string]string)
		same   bool
	}{
		{"nothing", func(*scanners.Scanner, *Request, map[string]string) {}, true},
		{"a file out of scope", func(_ *scanners.Scanner, _ *Request, f map[string]string) { f["b.txt"] = "" }, true},
		{"the failing level", func(_ *scanners.Scanner, r *Request, _ map[string]string) { r.Policy.Failing = policy.FromNote }, true},
		{"a file's content", func(_ *scanners.Scanner, _ *Request, f map[string]string) { f["a.py"] = "b" }, false},
		{"one more file", func(_ *scanners.Scanner, _ *Request, f map[string]string) { f["b.py"] = "" }, false},
		{"an argument", func(s *scanners.Scanner, _ *Request, _ map[string]string) {
			s.Command = append([]string{"-q"}, s.Command...)
		}, false},
		{"the environment", func(s *scanners.Scanner, _ *Request, _ map[string]string) { s.Env = []string{"A=b"} }, false},
		{"a rule", func(s *scanners.Scanner, _ *Request, _ map[string]string) {
			s.Config = fstest.MapFS{"rules.yaml": {Data: []byte("rules: [x]")}}
		}, false},
		{"the canary", func(s *scanners.Scanner, _ *Request, _ map[string]string) {
			s.Canary.Files = map[string]string{"scangate-canary.py": "exec(x)"}
		}, false},
		{"a limit", func(_ *scanners.Scanner, r *Request, _ map[string]string) { r.Policy.Limits.Timeout = time.Second }, false},
		{"the version", func(s *scanners.Scanner, _ *Request, _ map[string]string) { s.Version = "2" }, false},
		{"the image", func(_ *scanners.Scanner, r *Request, _ map[string]string) {
			r.Lock.Images["perfile"].Platforms["linux/amd64"] = images.Pin{Manifest: strings.Replace(digestA, "aa", "bb", 1), Config: digestA, Size: 1}
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, f := perFile(), map[string]string{"a.py": "a"}
			r := request(s)
			row.change(&s, &r, f)
			r.Scanners = []scanners.Scanner{s}
			if got := only(t, r, take(t, f)).Digest; (got == base) != row.same {
				t.Errorf("same digest: %v, want %v", got == base, row.same)
			}
		})
	}
}

func TestInspectedFindingsAndContextGlobsComeFromTheTargets(t *testing.T) {
	s := perFile()
	s.Inspect = func(path string, content []byte) []finding.Finding {
		return []finding.Finding{{Path: path, Rule: string(content)}}
	}
	s.Beside = func(path string, content []byte) []string { return []string{"data/**"} }
	scan := only(t, request(s), take(t, map[string]string{"a.py": "off", "data/x.bin": "x"}))
	if len(scan.Inspected) != 1 || scan.Inspected[0].Path != "a.py" || scan.Inspected[0].Rule != "off" {
		t.Errorf("inspected %+v", scan.Inspected)
	}
	if e, ok := scan.View.Source("data/x.bin"); !ok || e.Role != workspace.Context {
		t.Errorf("what a target asks for is not in the view: %+v %v", e, ok)
	}
}

func TestAnAdapterThatPanicsIsBrokenAlone(t *testing.T) {
	mad := perFile()
	mad.Name, mad.Excuse = "mad", func(path string, content []byte) string { panic(path) }
	p, err := Make(request(mad, perFile()), take(t, map[string]string{"a.py": ""}))
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Scans[0]; s.Status != scanners.Broken || s.Reason != scanners.Panic || len(s.Jobs) != 0 || s.Scanner.Name != "mad" {
		t.Errorf("%s %s with %d jobs", s.Status, s.Reason, len(s.Jobs))
	}
	if s := p.Scans[1]; s.Status != "" || len(s.Jobs) != 1 {
		t.Errorf("the other: %s with %d jobs, want one", s.Status, len(s.Jobs))
	}
}

func TestThePlanIsTheSameTwice(t *testing.T) {
	snap := take(t, map[string]string{"a.py": "", "go.mod": "module m", "b.go": "package m"})
	text := func() string {
		p, err := Make(request(perFile(), whole()), snap)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, s := range p.Scans {
			fmt.Fprintln(&b, s.Digest, s.View, s.Jobs, s.Excused, s.Data)
		}
		return b.String()
	}
	if first, second := text(), text(); first != second {
		t.Error("two plans of the same snapshot differ")
	}
}

func TestAnExemptFileIsInScopeAndNotInTheView(t *testing.T) {
	r := request(perFile())
	r.Policy.Exemptions = []policy.Exemption{{Scanner: "perfile", Path: "templates/**", Reason: "no Python", Expires: "2027-01-31"},
		{Scanner: "other", Path: "a.py", Reason: "x", Expires: "2027-01-31"}}
	snap := take(t, map[string]string{"a.py": "a", "templates/b.py": "{{ b }}"})
	for day, want := range map[string][]string{
		"2027-01-31": {"a.py", "scangate-canary.py"},
		"2027-02-01": {"a.py", "scangate-canary.py", "templates/b.py"},
	} {
		asOf, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		r.AsOf = asOf
		s := only(t, r, snap)
		if !slices.Equal(s.Jobs[0].Targets, want) || len(s.View.Entries) != len(want) {
			t.Errorf("%s: targets %v, want %v", day, s.Jobs[0].Targets, want)
		}
		if s.InScope != 2 || len(s.Excused) != 3-len(want) {
			t.Errorf("%s: %d in scope, excused %v", day, s.InScope, s.Excused)
		}
		for _, u := range s.Excused {
			if u != (scanners.Unread{Path: "templates/b.py", Reason: "exempt"}) {
				t.Errorf("%s: excused %v", day, u)
			}
		}
	}
}
