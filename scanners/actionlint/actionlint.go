// Package actionlint adapts actionlint, which reads GitHub Actions workflows.
package actionlint

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

const version = "1.7.12"

const canary = ".github/workflows/scangate-canary.yml"

//go:embed config
var embedded embed.FS

// Scanner is actionlint. It sees no git folder, so it takes no file for part of a project: local actions, reusable
// workflows and .github/actionlint.yaml are not looked up, and a file's answer depends on that file alone.
var Scanner = scanners.Scanner{
	Name:    "actionlint",
	Version: version,
	About:   "script injection, hard-coded credentials and mistakes in GitHub workflows",
	Licence: "MIT",
	Home:    "https://github.com/rhysd/actionlint",

	Scope:    scanners.FileScope,
	Inputs:   scanners.Inputs{Globs: []string{".github/workflows/*.{yml,yaml}"}},
	Controls: []string{"actionlint.yaml", "actionlint.yml"},

	// Empty -shellcheck and -pyflakes: those would be looked for in PATH, and silently left out.
	Command: []string{
		"/usr/bin/actionlint", "-no-color", "-shellcheck=", "-pyflakes=",
		"-config-file", scanners.Config + "/actionlint.yaml", "-format", "{{json .}}", scanners.Files,
	},
	Env:    []string{"HOME=/tmp"},
	Config: scanners.Folder(embedded, "config"),
	Needs: scanners.Needs{
		CPU: 1, Memory: 1 << 30, Tmp: 16 << 20, Pids: 64, Timeout: 5 * time.Minute,
	},

	// 2 is usage, 3 a file or configuration that could not be read.
	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Argument,
	Canary: scanners.Canary{
		Files: map[string]string{canary: `name: canary
on: issues
jobs:
  canary:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.issue.title }}
`},
		Path: canary,
		Rule: "expression",
	},
	Read: read,
}

type result struct {
	Message   string `json:"message" strict:"required"`
	File      string `json:"filepath" strict:"required"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndColumn int    `json:"end_column"`
	Kind      string `json:"kind" strict:"required"`
}

func read(run scanners.Run) (scanners.Report, error) {
	var results []result
	if err := strictjson.Decode(run.Stdout, &results); err != nil {
		return scanners.Report{}, err
	}
	if len(run.Stderr) > 0 {
		return scanners.Report{}, fmt.Errorf("complaint on stderr: %.200q", run.Stderr)
	}
	rep := scanners.Report{Source: scanners.Argument}
	for _, r := range results {
		// actionlint prints paths relative to its working directory, which is /tmp.
		p, err := scanners.Below(path.Join("/tmp", r.File))
		if err != nil {
			return scanners.Report{}, err
		}
		if r.unparsable() {
			rep.Unread = append(rep.Unread, scanners.Unread{Path: p, Reason: "unparsable"})
		}
		f := finding.Finding{
			Rule: r.Kind, Level: r.level(), Path: p, StartLine: max(r.Line, 0), StartColumn: max(r.Column, 0),
			Message: r.Message, Help: "https://github.com/rhysd/actionlint/blob/v" + version + "/docs/checks.md",
		}
		if r.EndColumn > 0 {
			f.EndLine, f.EndColumn = f.StartLine, r.EndColumn+1
		}
		rep.Findings = append(rep.Findings, f)
	}
	n := len(run.Targets) - len(rep.Unread)
	rep.FilesRead = &n
	return rep, nil
}

// unparsable tells of a file that no rule has looked at (parse.go in 1.7.12). Other results of this kind are beside those
// of the rules.
func (r result) unparsable() bool {
	return r.Kind == "syntax-check" && strings.HasPrefix(r.Message, "could not parse as YAML")
}

// level: actionlint has none. An error is what lets an outsider run code or shows a credential; the rest are mistakes.
func (r result) level() finding.Level {
	switch {
	case r.Kind == "credentials":
		return finding.Error
	case r.Kind == "expression" && strings.Contains(r.Message, "potentially untrusted"):
		return finding.Error
	}
	return finding.Warning
}
