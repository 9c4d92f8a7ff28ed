//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hostile is a workspace that tries to hide a hole which the bare tool, or the program that runs the file, would see.
type hostile struct {
	scanner  string
	name     string // a sentence
	files    map[string]string
	links    map[string]string        // path -> text of the symbolic link
	programs []string                 // of files, those with the executable bit
	prepare  func(*testing.T, string) // what else has to be done in the folder
	finds    string                   // "rule path": this finding is there; "": the scanner is broken
}

const (
	evalJs   = "function f(x) { return eval(x); }\n"
	md5Rule  = "G501 "
	notebook = `{"cells":[{"cell_type":"code","execution_count":null,"id":"a","metadata":{},"outputs":[],"source":["import subprocess, sys\n","subprocess.call(sys.argv[1], shell=True)\n"]}],"metadata":{"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}`
	empty    = "package m\n"
	harmless = "a = 1\n"
	ordinary = "name: ok\non: push\npermissions: {}\njobs:\n  ok:\n    name: ok\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n"
)

var secret = "token = \"" + token + "\"\n"

// utf16 is text as Windows writes it.
func utf16(text string) string {
	out := []byte{0xff, 0xfe}
	for _, c := range []byte(text) {
		out = append(out, c, 0)
	}
	return string(out)
}

func fifo(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// inGit makes dir a repository whose index names paths, and sets bits of git update-index on them.
func inGit(paths []string, bits ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		env := []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"}
		git := func(args ...string) {
			if r := runIn(t, dir, env, "git", args...); r.exit != 0 {
				t.Fatalf("git %v: %s", args, r.stderr)
			}
		}
		git("init", "-q")
		git(append([]string{"add", "-f"}, paths...)...)
		for _, b := range bits {
			git(append([]string{"update-index", b}, paths...)...)
		}
	}
}

var hostiles = []hostile{
	// Names by which a file might be in nobody's scope.
	{scanner: "gosec", name: "a name that is no test's to the go command", finds: md5Rule + "evil_TEST.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "evil_TEST.go": md5Go}},
	{scanner: "gosec", name: "a folder that is no testdata to the go command", finds: md5Rule + "TestData/e.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "TestData/e.go": md5Go}},
	{scanner: "gosec", name: "a folder that is no vendor folder to the go command", finds: md5Rule + "Vendor/e.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "Vendor/e.go": md5Go}},
	{scanner: "gosec", name: "a Go file above every module", finds: "",
		files: map[string]string{"evil.go": md5Go, "sub/go.mod": goMod, "sub/m.go": empty}},
	{scanner: "gosec", name: "a module in a folder that the go command passes over in another", finds: md5Rule + "_tools/e.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "_tools/go.mod": goMod, "_tools/e.go": md5Go}},
	{scanner: "gosec", name: "a link to Go code, behind a link that is not built", finds: md5Rule + "b.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "code.txt": md5Go}, links: map[string]string{"a_windows.go": "code.txt", "b.go": "code.txt"}},
	{scanner: "gosec", name: "a link to a file that is not built", finds: md5Rule + "b.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "e_windows.go": md5Go}, links: map[string]string{"b.go": "e_windows.go"}},
	{scanner: "gosec", name: "a link to a test file", finds: md5Rule + "b.go",
		files: map[string]string{"go.mod": goMod, "m.go": empty, "e_test.go": md5Go}, links: map[string]string{"b.go": "e_test.go"}},
	{scanner: "gosec", name: "a module file that is a link", finds: md5Rule + "m.go",
		files: map[string]string{"mod.txt": goMod, "m.go": md5Go}, links: map[string]string{"go.mod": "mod.txt"}},
	{scanner: "gosec", name: "code in testdata that the program imports", finds: "",
		files: map[string]string{"go.mod": goMod, "m.go": "package m\n\nimport _ \"example.com/m/testdata/e\"\n", "testdata/e/e.go": md5Go}},
	{scanner: "gosec", name: "a go.mod that leaves a folder out", finds: md5Rule + "e/e.go",
		files: map[string]string{"go.mod": "module example.com/m\n\ngo 1.25\n\nignore ./e\n", "m.go": empty, "e/e.go": md5Go}},
	{scanner: "gosec", name: "a workspace file that names another module", finds: md5Rule + "m.go",
		files: map[string]string{"go.work": "go 1.24\n\nuse ./e\n", "go.mod": goMod, "m.go": md5Go, "e/go.mod": "module example.com/e\n\ngo 1.24\n", "e/e.go": "package e\n"}},
	{scanner: "gosec", name: "a toolchain that has to be fetched", finds: md5Rule + "m.go",
		files: map[string]string{"go.mod": goMod + "\ntoolchain go1.99.0\n", "m.go": md5Go}},
	{scanner: "gosec", name: "a directive of its newer form", finds: "G204 m.go",
		files: map[string]string{"go.mod": goMod, "m.go": "package m\n\nimport \"os/exec\"\n\n//gosec:disable\nfunc Run(s string) error {\n\treturn exec.Command(\"sh\", \"-c\", s).Run() //gosec:disable G204 -- fine\n}\n"}},
	{scanner: "gosec", name: "a head that says the code is generated", finds: md5Rule + "m.go",
		files: map[string]string{"go.mod": goMod, "m.go": "// Code generated by x. DO NOT EDIT.\n\n" + md5Go}},
	{scanner: "gosec", name: "a line directive that tells of another file", finds: md5Rule + "m.go",
		files: map[string]string{"go.mod": goMod, "ok.go": empty, "m.go": "//line ok.go:1\n" + md5Go}},
	{scanner: "semgrep", name: "a name that is not minified to Semgrep", finds: "javascript-eval a.MIN.js",
		files: map[string]string{"a.MIN.js": evalJs, "ok.js": "var a = 1;\n"}},
	{scanner: "semgrep", name: "a program without an extension", finds: "javascript-eval tool",
		files: map[string]string{"tool": "#!/usr/bin/env node\n" + evalJs, "ok.js": "var a = 1;\n"}, programs: []string{"tool"}},
	{scanner: "semgrep", name: "PHP under another extension", finds: "php-shell-command a.phtml",
		files: map[string]string{"a.phtml": "<?php\nsystem($_GET['x']);\n", "ok.php": "<?php\necho 1;\n"}},
	{scanner: "semgrep", name: "one content as two languages", finds: "javascript-eval b.js",
		files: map[string]string{"code.txt": evalJs}, links: map[string]string{"a.java": "code.txt", "b.js": "code.txt"}},
	{scanner: "bandit", name: "Python for Windows without a console", finds: "B602 a.pyw",
		files: map[string]string{"a.pyw": shellPy, "ok.py": harmless}},
	{scanner: "bandit", name: "a program of a numbered Python", finds: "B602 tool",
		files: map[string]string{"tool": "#!/usr/bin/python3.11\n" + shellPy, "ok.py": harmless}},
	{scanner: "ruff", name: "a notebook", finds: "S602 n.ipynb",
		files: map[string]string{"n.ipynb": notebook, "ok.py": harmless}},
	{scanner: "zizmor", name: "a workflow below another folder", finds: "template-injection sub/" + workflow,
		files: map[string]string{"sub/" + workflow: inject, ".github/workflows/ok.yml": ordinary}},
	{scanner: "gitleaks", name: "a name that is no lock file to Gitleaks", finds: "github-pat Package-Lock.json",
		files: map[string]string{"Package-Lock.json": secret, "ok.txt": "x\n"}},
	{scanner: "gitleaks", name: "the name of a picture", finds: "github-pat a.png", files: map[string]string{"a.png": secret}},
	{scanner: "gitleaks", name: "the name of an archive", finds: "github-pat a.tar.gz", files: map[string]string{"a.tar.gz": secret}},
	{scanner: "gitleaks", name: "a folder of dependencies", finds: "github-pat node_modules/k.js", files: map[string]string{"node_modules/k.js": secret}},
	{scanner: "gitleaks", name: "text in an old encoding", finds: "github-pat .env", files: map[string]string{".env": "# caf\xe9\n" + secret, "ok.txt": "x\n"}},
	{scanner: "gitleaks", name: "a NUL at the end of a text", finds: "github-pat a.txt", files: map[string]string{"a.txt": secret + "\x00", "ok.txt": "x\n"}},

	// Names that might be taken for something else on the way.
	{scanner: "bandit", name: "a name like an option", finds: "B602 --help.py", files: map[string]string{"--help.py": shellPy}},
	{scanner: "bandit", name: "a name like a glob", finds: "B602 [a].py", files: map[string]string{"[a].py": shellPy}},
	{scanner: "semgrep", name: "a name with a line end and a terminal's escape in it", finds: "python-eval %1B[2K%0A::error::x.py",
		files: map[string]string{"\x1b[2K\n::error::x.py": evalPy}},
	{scanner: "ruff", name: "a name that is not UTF-8", finds: "S602 %FF.py", files: map[string]string{"\xff.py": shellPy}},
	{scanner: "bandit", name: "the canary's own name", finds: "B602 scangate-canary.py", files: map[string]string{"scangate-canary.py": shellPy}},
	{scanner: "ruff", name: "the canary's name in capitals and as a folder", finds: "S602 SCANGATE-CANARY.py/x.py", files: map[string]string{"SCANGATE-CANARY.py/x.py": shellPy}},
	{scanner: "semgrep", name: "a name in the form of an alias", finds: "python-eval sg0123456789ab.py", files: map[string]string{"sg0123456789ab.py": evalPy}},
	{scanner: "bandit", name: "a folder with a control file's name", finds: "B602 .bandit/a.py", files: map[string]string{".bandit/a.py": shellPy}},

	// Content.
	{scanner: "bandit", name: "a NUL in a program", finds: "", files: map[string]string{"a.py": shellPy + "\x00\n"}},
	{scanner: "bandit", name: "a program in UTF-7", finds: "B307 a.py", files: map[string]string{"a.py": "# -*- coding: utf-7 -*-\nimport sys\n+AGUAdgBhAGw-(sys.argv[1])\n"}},
	{scanner: "ruff", name: "a program in UTF-16", finds: "", files: map[string]string{"a.py": utf16(shellPy)}},
	{scanner: "bandit", name: "an expression too deep for the parser", finds: "", files: map[string]string{"a.py": "x = " + strings.Repeat("(", 3000) + "1" + strings.Repeat(")", 3000) + "\n" + shellPy}},
	{scanner: "ruff", name: "a range in which checks are off", finds: "S602 a.py", files: map[string]string{"a.py": "# ruff: disable[S602]\n" + shellPy + "# ruff: enable[S602]\n"}},
	{scanner: "shellcheck", name: "a directive behind a number sign", finds: "scangate-inline-disable a.sh",
		files: map[string]string{"a.sh": "#!/bin/sh\n# shellcheck source=a#b disable=all\nrm -rf $1\n"}},
	{scanner: "hadolint", name: "such a directive in a here document", finds: "scangate-inline-disable Dockerfile",
		files: map[string]string{"Dockerfile": "FROM debian:12.11\nRUN <<EOF\n# shellcheck source=a#b disable=all\nrm -rf $DIR/*\nEOF\n"}},
	{scanner: "hadolint", name: "another escape character", finds: "DL3004 Dockerfile",
		files: map[string]string{"Dockerfile": "# escape=`\nFROM debian:12.11\nRUN sudo make `\n install\n"}},
	{scanner: "zizmor", name: "a workflow of anchors", finds: "template-injection " + workflow,
		files: map[string]string{workflow: strings.Replace(inject, "- run: echo", "- run: &x echo", 1)}},
	{scanner: "actionlint", name: "a key that comes twice", finds: "expression " + workflow, files: map[string]string{workflow: inject + "jobs: {}\n"}},
	{scanner: "zizmor", name: "a workflow that writes a line of the log", finds: "",
		files: map[string]string{workflow: strings.Replace(inject, "permissions: {}", `permissions: "x\n INFO audit: zizmor: q completed /workspace/`+workflow+`\n"`, 1), ".github/workflows/ok.yml": ordinary}},

	// Git and the file system.
	{scanner: "bandit", name: "a file that is ignored and tracked", finds: "B602 s/a.py",
		files: map[string]string{".gitignore": "*\n", "s/a.py": shellPy}, prepare: inGit([]string{"s/a.py"})},
	{scanner: "bandit", name: "a file that git is told not to look at", finds: "B602 a.py",
		files: map[string]string{".gitignore": "*.py\n", "a.py": shellPy}, prepare: inGit([]string{"a.py"}, "--skip-worktree", "--assume-unchanged")},
	{scanner: "bandit", name: "a file that a submodule tracks and its own ignore file names", finds: "B602 sub/a.py",
		files: map[string]string{"ok.py": harmless, "sub/.gitignore": "*.py\n", "sub/a.py": shellPy}, prepare: func(t *testing.T, dir string) {
			sub := filepath.Join(dir, "sub")
			inGit([]string{"a.py"})(t, sub)
			if r := runIn(t, sub, nil, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a"); r.exit != 0 {
				t.Fatalf("git commit: %s", r.stderr)
			}
			inGit([]string{"ok.py", "sub"})(t, dir)
		}},
	{scanner: "bandit", name: "an ignore file that is a link", finds: "B602 a.py",
		files: map[string]string{"all": "*\n", "a.py": shellPy}, links: map[string]string{".gitignore": "all"}, prepare: inGit([]string{"all"})},
	{scanner: "bandit", name: "a link to text", finds: "B602 a.py",
		files: map[string]string{"notes.txt": shellPy}, links: map[string]string{"a.py": "notes.txt"}},
	{scanner: "bandit", name: "pipes where files are expected", finds: "B602 a.py",
		files: map[string]string{"a.py": shellPy}, prepare: func(t *testing.T, dir string) { fifo("p.py")(t, dir); fifo(".gitignore")(t, dir) }},
}

func TestNoWorkspaceHidesItsHole(t *testing.T) {
	bin := command(t)
	for _, h := range hostiles {
		t.Run(h.scanner+"/"+strings.ReplaceAll(h.name, " ", "_"), func(t *testing.T) {
			dir := t.TempDir()
			h.lay(t, dir)
			before := listing(t, dir)
			r := runIn(t, t.TempDir(), nil, bin, "run", dir, "--format", "json", "--engine", "embedded", "--scanner", h.scanner, "--as-of", day)
			d := decode(t, r.stdout)
			if len(d.Scanners) != 1 {
				t.Fatalf("scanners are %+v, want %s alone\n%s", d.Scanners, h.scanner, r.stderr)
			}
			s := d.Scanners[0]
			var found []string
			for _, f := range d.Findings {
				found = append(found, f.Rule+" "+f.Path)
			}
			switch {
			case h.finds == "" && (s.Status != "broken" || d.Verdict != "incomplete" || r.exit != 3):
				t.Errorf("status %s, verdict %s, exit status %d: want broken, incomplete, 3", s.Status, d.Verdict, r.exit)
			case h.finds != "" && (s.Status != "found" && s.Status != "broken" || !slices.Contains(found, h.finds)):
				t.Errorf("status %s %v, findings %q: want %q", s.Status, s.Reasons, found, h.finds)
			}
			if bytes.Contains(r.stdout, []byte(token)) || bytes.Contains(r.stderr, []byte(token)) {
				t.Error("the secret is in what was printed")
			}
			if bytes.ContainsAny(r.stdout, "\x1b\n") || bytes.Contains(r.stderr, []byte{0x1b}) {
				t.Error("a name of the workspace's reaches the terminal as it is")
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the workspace was\n%s and is\n%s", before, after)
			}
		})
	}
}

func (h hostile) lay(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, h.files, nil)
	for _, name := range h.programs {
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range h.links {
		if err := os.Symlink(text, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if h.prepare != nil {
		h.prepare(t, dir)
	}
}

// listing is what is in a folder: names, kinds, sizes and times of change.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(&b, "%q %s %d %d\n", name, info.Mode(), info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What a workspace may not have at all: no scan begins.
func TestAWorkspaceIsRefused(t *testing.T) {
	bin := command(t)
	anchors := "schema: scangate.policy/v1\nscanners: &a {bandit: {enabled: false}}\n"
	for _, h := range []hostile{
		{name: "a policy that is a link", files: map[string]string{"a.py": shellPy, "p": "scanners: {}\n"}, links: map[string]string{"scangate.yaml": "p"}},
		{name: "a policy that is a pipe", files: map[string]string{"a.py": shellPy}, prepare: fifo("scangate.yaml")},
		{name: "a lock that is a pipe", files: map[string]string{"a.py": shellPy}, prepare: fifo("scangate.lock")},
		{name: "a policy with an anchor", files: map[string]string{"a.py": shellPy, "scangate.yaml": anchors}},
		{name: "a policy that is too large", files: map[string]string{"a.py": shellPy, "scangate.yaml": padding}},
		{name: "a lock that is too large", files: map[string]string{"a.py": shellPy}, prepare: func(t *testing.T, dir string) {
			f, err := os.Create(filepath.Join(dir, "scangate.lock"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Truncate(1 << 36); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a .git that is no git's", files: map[string]string{"a.py": shellPy, ".git": "garbage"}},
	} {
		t.Run(strings.ReplaceAll(h.name, " ", "_"), func(t *testing.T) {
			dir := t.TempDir()
			h.lay(t, dir)
			r := runIn(t, t.TempDir(), nil, bin, "run", dir, "--format", "json", "--engine", "embedded")
			if r.exit != 2 || len(r.stdout) > 0 {
				t.Errorf("exit status %d, want 2\n%s%s", r.exit, r.stdout, r.stderr)
			}
		})
	}
}

// A secret on a line that no tool can parse stays out of every report.
func TestNoReportHoldsTheSecret(t *testing.T) {
	bin := command(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.py": "password \"" + token + "\" (((\neval(x)\n", "b.js": "var " + secret + "function ((( { eval(x)\n",
		"a.sh": "#!/bin/sh\nif [ \"$T\" = " + token + "\n", "Dockerfile": "FROM a:1\nFOO " + token + "\n",
		workflow: "on: push\njobs:\n  a: " + token + "\n  b: [\n", "go.mod": goMod, "m.go": "package m\n\nvar x = " + token + "\n",
	}, nil)
	for _, format := range []string{"human", "agent", "json", "sarif"} {
		r := runIn(t, t.TempDir(), nil, bin, "run", dir, "--format", format, "--engine", "embedded")
		if r.exit != 3 {
			t.Errorf("%s: exit status %d, want 3\n%s", format, r.exit, r.stderr)
		}
		if bytes.Contains(r.stdout, []byte(token)) || bytes.Contains(r.stderr, []byte(token)) {
			t.Errorf("%s: the secret is in what was printed\n%s%s", format, r.stdout, r.stderr)
		}
		if format == "json" && !json.Valid(r.stdout) {
			t.Error("no JSON")
		}
	}
}
