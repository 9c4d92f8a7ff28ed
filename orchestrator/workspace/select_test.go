package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// show writes a view as "path<source role" with the hash of an alias masked.
func show(v View) []string {
	hash := regexp.MustCompile(`sg[0-9a-f]{12}`)
	var out []string
	for _, e := range v.Entries {
		s := hash.ReplaceAllString(e.Path, "ALIAS")
		if s != e.Source {
			s += "<" + e.Source
		}
		out = append(out, s+" "+string(e.Role))
	}
	slices.Sort(out)
	return out
}

func TestSelect(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.py": "1", "B.PY": "2", "vendor/v.py": "3", "go.mod": "4",
		"vendor/v.go": "16", "_x/a.go": "17", "_t/go.mod": "18", "_t/a.go": "19", "_t/in/a.go": "20", "_t/_x/a.go": "21", "_t/vendor/d/a.go": "22",
		"tool": "#!/usr/bin/python3.11 -E\n", "env": "#!/usr/bin/env -S python3 -u\n", "glued": "#!/usr/bin/env -Sbash -e\n", "vars": "#! /usr/bin/env A=1 bash\r\n",
		"named.txt": "#!/bin/bash\n", ".hook": "#!/bin/bash\n", "none": "plain", "data": "5", "other": "6",
		".bandit": "7", "d/.BANDIT": "8", "setup.cfg": "9", "conf.d/x.py": "10",
		"scangate-canary.py": "11", "Scangate-Canary-x/y.py": "12",
		"sg0123456789ab.py": "13", "q?.py": "14", "ü/a.py": "15",
	})
	for at, text := range map[string]string{"l1.py": "data", "l2.py": "data", "l3.py": "a.py", "l4.txt": "other", "x.toml": "other"} {
		if err := os.Symlink(text, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "env"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := snapshot(t, dir)
	rows := []struct {
		name string
		q    Query
		want []string
	}{
		{"globs match without regard to case, excludes win over them", Query{Globs: []string{"*.py"}, Exclude: []string{"sg*", "*canary*", "q*", "l*"}}, []string{"B.PY target", "a.py target"}},
		{"an exclude is of that case only", Query{Globs: []string{"?.py"}, Exclude: []string{"A.py", "b.py"}}, []string{"B.PY target", "a.py target"}},
		{"a shebang names an interpreter, also by env, in a file with no extension", Query{Shebangs: []string{"bash"}}, []string{".hook target", "glued target", "vars target"}},
		{"an interpreter is matched by its whole name", Query{Shebangs: []string{"python3"}}, []string{"env target"}},
		{"or by a pattern", Query{Shebangs: []string{"python3*"}}, []string{"env target", "tool target"}},
		{"a program is executable", Query{Programs: []string{"python3", "bash"}}, []string{"env target"}},
		{"a folder is skipped below its project, not above it", Query{Globs: []string{"**/*.go"}, SkipDirs: []string{"vendor", "_*"}, Root: "go.mod"},
			[]string{"_t/in/a.go target", "_t/a.go target"}},
		{"excludes hold for shebangs", Query{Shebangs: []string{"bash"}, Exclude: []string{".*"}}, []string{"glued target", "vars target"}},
		{"context stands beside targets, a target is no context", Query{Globs: []string{"a.py"}, Context: []string{"go.mod", "*.py"}, Exclude: []string{"b.py"}, Reserved: "scangate-canary"},
			[]string{"a.py target", "go.mod context", "B.PY context", "ALIAS.py<scangate-canary.py context", "ALIAS.py<q?.py context", "ALIAS.py<sg0123456789ab.py context", "l1.py context", "l2.py context"}},
		{"of links to one content that is not in the view, the first is", Query{Globs: []string{"l*.py"}}, []string{"l1.py target", "l3.py target"}},
		{"a link with another extension is another language", Query{Globs: []string{"l2.py", "x.toml", "l4.txt", "other"}}, []string{"l2.py target", "l4.txt target", "other target", "x.toml target"}},
		{"every link where a file beside it counts", Query{Globs: []string{"l*.py", "a.py"}, EveryLink: true}, []string{"a.py target", "l1.py target", "l2.py target", "l3.py target"}},
		{"a link to a target is not in the view", Query{Globs: []string{"l3.py", "a.py"}}, []string{"a.py target"}},
		{"control files travel as data, without an extension that would make them one", Query{Globs: []string{"**/*bandit", "setup.cfg"}, Controls: []string{".bandit", "*.cfg"}},
			[]string{"ALIAS<.bandit target", "ALIAS<setup.cfg target", "d/ALIAS<d/.BANDIT target"}},
		{"a control file keeps an extension by which it is only data", Query{Globs: []string{"conf.d/*", "*.toml"}, Controls: []string{"x.*"}},
			[]string{"ALIAS.toml<x.toml target", "conf.d/ALIAS.py<conf.d/x.py target"}},
		{"a name with the reserved prefix makes way", Query{Globs: []string{"*canary*", "*canary*/*"}, Reserved: "scangate-canary", Add: map[string]string{"scangate-canary.py": "bad"}},
			[]string{"ALIAS.py<scangate-canary.py target", "ALIAS/y.py<Scangate-Canary-x/y.py target", "scangate-canary.py< added"}},
		{"a name in the form of an alias gets one", Query{Globs: []string{"sg*"}}, []string{"ALIAS.py<sg0123456789ab.py target"}},
		{"folders get aliases too", Query{Globs: []string{"ü/*"}}, []string{"ALIAS/a.py<ü/a.py target"}},
		{"nothing asked, nothing in it", Query{}, nil},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			v := s.Select(r.q)
			slices.Sort(r.want)
			if got := show(v); !slices.Equal(got, r.want) {
				t.Errorf("\n got %q\nwant %q", got, r.want)
			}
			if again := s.Select(r.q); again.Digest != v.Digest {
				t.Error("asked again, another digest")
			}
			if err := s.Materialise(v, filepath.Join(s.Dir(), r.name)); err != nil {
				t.Error(err)
			}
		})
	}
	for name, q := range map[string]Query{"broken glob": {Globs: []string{"[a"}}, "two files": {Globs: []string{"a.py"}, Add: map[string]string{"a.py": ""}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			s.Select(q)
		}()
	}
	if got, want := s.Paths("**/*.MOD"), []string{"_t/go.mod", "go.mod"}; !slices.Equal(got, want) {
		t.Errorf("paths: got %q, want %q", got, want)
	}
}

func TestNoNameLooksLikeAnAlias(t *testing.T) {
	a := newAliases(nil, "")
	alias := a.path("ü.py")
	for _, name := range []string{alias, strings.ToUpper(alias)} {
		if out := a.path(name); strings.EqualFold(out, alias) {
			t.Errorf("a file named %q would stand at another's alias", name)
		}
	}
}

func TestAliasesThatCollideDiffer(t *testing.T) {
	a := newAliases(nil, "")
	first := a.path("ü.py")
	b := newAliases(nil, "")
	b.taken[first] = true // as if another name had the same 48 bits
	second := b.path("ü.py")
	if second == first || !aliased.MatchString(second) {
		t.Errorf("first %q, second %q", first, second)
	}
}

func TestViewsHoldTheFilesOfTheGate(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.py": "x"})
	s := snapshot(t, dir)
	v := s.Select(Query{Globs: []string{"*.py"}, Add: map[string]string{"k/canary.py": "bad", "canary.py": "bad"}})
	at := filepath.Join(s.Dir(), "v")
	if err := s.Materialise(v, at); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k/canary.py", "canary.py"} {
		text, err := os.ReadFile(filepath.Join(at, name))
		info, err2 := os.Stat(filepath.Join(at, name))
		if errors.Join(err, err2) != nil || string(text) != "bad" || info.Mode().Perm() != 0o444 {
			t.Errorf("%s: %q %v", name, text, errors.Join(err, err2))
		}
	}
	if err := s.Materialise(v, at); err == nil {
		t.Error("a view was laid over another")
	}
	if err := s.Materialise(v, t.TempDir()+"/v"); err == nil || !strings.Contains(err.Error(), "not in the run folder") {
		t.Errorf("a view outside the run folder: %v", err)
	}
}

func TestOneContentIsStoredOnce(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("small%d", i)] = "same"
		files[fmt.Sprintf("large%d", i)] = strings.Repeat("same", 100<<10)
	}
	write(t, dir, files)
	if err := os.Chmod(filepath.Join(dir, "small7"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := snapshot(t, dir)
	stored, err := os.ReadDir(s.blobs.dir)
	if err != nil || len(stored) != 3 {
		t.Errorf("stored %v, %v; want the two contents, and one of them executable", stored, err)
	}
}
