//go:build e2e

package e2e

// lie is a workspace with a hole in it that the bare tool passes, or fails in a way that cannot be told from another.
type lie struct {
	scanner string
	name    string // a sentence
	files   map[string]string
	secret  []string // of files, those that their owner alone may read
	bare    string   // what the tool does by itself: its exit status and why that says nothing
	want    []string // the statuses that scangate may give; clean is never among them
}

// Programs with a hole.
const (
	shellPy = "import subprocess, sys\nsubprocess.call(sys.argv[1], shell=True)\n"
	evalPy  = "import sys\nprint(eval(sys.argv[1]))\n"
	md5Go   = "package m\n\nimport \"crypto/md5\"\n\nvar Sum = md5.Sum\n"
	goMod   = "module example.com/m\n\ngo 1.24\n"
	sudo    = "FROM debian:12.11\nRUN sudo make install\n"
	unquote = "#!/bin/sh\nrm -rf $1\n"
	inject  = `name: triage
on: issues
permissions: {}
jobs:
  triage:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.event.issue.title }}
`
)

// token is in two parts, so that this repository holds none.
const token = "ghp" + "_" + "8mK2vQ7xR4tZ9wB1nC6yD3fG5hJ0pL2sAeUi"

const workflow = ".github/workflows/triage.yml"

var (
	found  = []string{"found"}
	broken = []string{"broken"}
	either = []string{"found", "broken"}
)

var lies = []lie{
	{"actionlint", "its configuration in the workspace passes over every message",
		map[string]string{workflow: inject, ".github/actionlint.yaml": "paths:\n  \"**\":\n    ignore: [\".*\"]\n"}, nil,
		"0", found},
	{"actionlint", "a workflow that is no YAML",
		map[string]string{workflow: "on: push\njobs:\n  a: [\n"}, nil,
		"1, one result of kind syntax-check, like any finding", broken},
	{"actionlint", "a workflow that is not UTF-8",
		map[string]string{workflow: inject + "# caf\xe9\n"}, nil,
		"1, one result at line 0, like any finding", broken},

	{"bandit", "a syntax error at the end of a file",
		map[string]string{"run.py": shellPy + "def (\n"}, nil,
		"0, the file is skipped", broken},
	{"bandit", "a nosec comment",
		map[string]string{"run.py": "import subprocess, sys\nsubprocess.call(sys.argv[1], shell=True)  # nosec\n"}, nil,
		"0", found},
	{"bandit", "its configuration in the workspace excludes everything",
		map[string]string{"run.py": shellPy, ".bandit": "[bandit]\nexclude = /\nskips = B404,B602,B605\n"}, nil,
		"0", found},
	{"bandit", "a file that its user may not read",
		map[string]string{"run.py": shellPy}, []string{"run.py"},
		"0, the file is skipped", either},

	{"gitleaks", "its configuration in the workspace allows every file",
		map[string]string{"app.cfg": "token = \"" + token + "\"\n", ".gitleaks.toml": "[extend]\nuseDefault = true\n[allowlist]\npaths = ['''.*''']\n"}, nil,
		"0", found},
	{"gitleaks", "its ignore file names the finding, whatever the flags say",
		map[string]string{"app.cfg": "token = \"" + token + "\"\n", ".gitleaksignore": "app.cfg:github-pat:1\n"}, nil,
		"0", found},
	{"gitleaks", "an allow comment",
		map[string]string{"app.cfg": "token = \"" + token + "\" # gitleaks:allow\n"}, nil,
		"0", found},
	{"gitleaks", "a secret inside its own ignore file",
		map[string]string{".gitleaksignore": "token = \"" + token + "\"\n"}, nil,
		"0, the file is read as a list", found},
	{"gitleaks", "a file that its user may not read",
		map[string]string{"app.cfg": "token = \"" + token + "\"\n"}, []string{"app.cfg"},
		"0, the file is skipped", either},

	{"gosec", "a module inside the module",
		map[string]string{"go.mod": goMod, "m.go": "package m\n", "tools/go.mod": "module example.com/tools\n\ngo 1.24\n", "tools/t.go": md5Go}, nil,
		"0, the inner module's files are not checked", found},
	{"gosec", "a nosec comment",
		map[string]string{"go.mod": goMod, "m.go": "package m\n\nimport \"os/exec\"\n\n// Run runs.\nfunc Run(s string) error { return exec.Command(\"sh\", \"-c\", s).Run() } // #nosec\n"}, nil,
		"0", found},
	{"gosec", "a type error",
		map[string]string{"go.mod": goMod, "m.go": "package m\n\nvar Sum = md5.Sum\n"}, nil,
		"1 as for a finding, and 0 with -quiet; in SARIF no word of it", broken},
	{"gosec", "Go files and no module",
		map[string]string{"m.go": md5Go}, nil,
		"depends on the folders above", broken},

	{"hadolint", "a Dockerfile that does not parse",
		map[string]string{"Dockerfile": "FROM debian:12.11\nINSTALL make\nRUN sudo make install\n"}, nil,
		"1, one result DL1000, like any finding; 0 with --no-fail", broken},
	{"hadolint", "its configuration in the workspace ignores the rule",
		map[string]string{"Dockerfile": sudo, ".hadolint.yaml": "ignored: [DL3004]\nfailure-threshold: none\n"}, nil,
		"0", found},
	{"hadolint", "an ignore pragma",
		map[string]string{"Dockerfile": "FROM debian:12.11\n# hadolint ignore=DL3004\nRUN sudo make install\n"}, nil,
		"0", found},
	{"hadolint", "a pragma that tells of another shell",
		map[string]string{"Dockerfile": "# hadolint shell=powershell\nFROM debian:12.11\nRUN rm -rf $DIR/*\n"}, nil,
		"0, ShellCheck's rules are not asked", found},

	{"ruff", "a file that is not UTF-8",
		map[string]string{"run.py": shellPy + "# caf\xe9\n"}, nil,
		"0, a warning on stderr", either},
	{"ruff", "a noqa comment for the whole file",
		map[string]string{"run.py": "# ruff: noqa\n" + shellPy}, nil,
		"0", found},
	{"ruff", "its configuration in the workspace excludes everything",
		map[string]string{"run.py": shellPy, "ruff.toml": "exclude = [\"*\"]\n"}, nil,
		"0", found},
	{"ruff", "a syntax error",
		map[string]string{"run.py": "def (\n" + shellPy}, nil,
		"1, results of the rule invalid-syntax, like any finding", either},

	{"semgrep", "its ignore file names everything",
		map[string]string{"run.py": evalPy, ".semgrepignore": "*\n"}, nil,
		"0", found},
	{"semgrep", "a nosemgrep comment",
		map[string]string{"run.py": "import sys\nprint(eval(sys.argv[1]))  # nosemgrep\n"}, nil,
		"0", found},
	{"semgrep", "a syntax error",
		map[string]string{"run.py": "def (\n" + evalPy}, nil,
		"0, the file is among those scanned", either},
	{"semgrep", "a file larger than its limit",
		map[string]string{"run.py": evalPy + padding}, nil,
		"0, files over 1,000,000 bytes are skipped", found},

	{"shellcheck", "a script that does not parse",
		map[string]string{"run.sh": "#!/bin/sh\nif true; then\n  rm -rf $1\n"}, nil,
		"1, results SC1072 and SC1073, like any finding", broken},
	{"shellcheck", "a directive that hides that the script does not parse",
		map[string]string{"run.sh": "#!/bin/sh\n# shellcheck disable=SC1046,SC1047,SC1072,SC1073\nif true; then\n  rm -rf $1\n"}, nil,
		"0, no flag overrides it", found},
	{"shellcheck", "a directive that disables every check",
		map[string]string{"run.sh": "#!/bin/sh\n# shellcheck disable=all\nrm -rf $1\n"}, nil,
		"0, no flag overrides it", found},
	{"shellcheck", "its configuration in the workspace disables every check",
		map[string]string{"run.sh": unquote, ".shellcheckrc": "disable=all\n"}, nil,
		"0", found},
	{"shellcheck", "a shell that it does not know",
		map[string]string{"run.sh": "#!/usr/bin/zsh\nrm -rf $1\n"}, nil,
		"1, one result SC1071, like any finding", broken},

	{"zizmor", "a workflow that is no YAML beside one that is",
		map[string]string{".github/workflows/ok.yml": "name: ok\non: push\npermissions: {}\njobs:\n  ok:\n    name: ok\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n",
			workflow: inject + "  broken: [\n"}, nil,
		"0, a warning on stderr", broken},
	{"zizmor", "its configuration in the workspace disables the rule",
		map[string]string{workflow: inject, "zizmor.yml": "rules:\n  template-injection:\n    disable: true\n", ".github/zizmor.yml": "rules:\n  template-injection:\n    disable: true\n"}, nil,
		"0", found},
	{"zizmor", "an ignore comment",
		map[string]string{workflow: "name: triage\non: issues\npermissions: {}\njobs:\n  triage:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.event.issue.title }} # zizmor: ignore[template-injection]\n"}, nil,
		"0", found},
	{"zizmor", "a workflow that git ignores",
		map[string]string{workflow: inject, ".git/HEAD": "ref: refs/heads/main\n", ".git/info/exclude": ".github\n"}, nil,
		"3, nothing collected", found},
}
