// Package shellcheck adapts ShellCheck, which reads shell scripts.
package shellcheck

import (
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

const version = "0.11.0"

// Scanner is ShellCheck. Its scope is the project: a script may source another, and ShellCheck follows that when the
// other is on its command line too (seen with 0.11.0: SC1091, SC2034 and SC2154 come and go with the company).
var Scanner = scanners.Scanner{
	Name:    "shellcheck",
	Version: version,
	About:   "bugs and unsafe quoting in sh, bash, dash and ksh scripts",
	Licence: "GPL-3.0-only",
	Home:    "https://www.shellcheck.net",

	Scope: scanners.ProjectScope,
	Inputs: scanners.Inputs{
		Globs: []string{
			"**/*.sh", "**/*.bash", "**/*.bats", "**/*.dash", "**/*.ksh",
			"**/.bashrc", "**/.bash_{aliases,login,logout,profile}", "**/.envrc", "**/.kshrc", "**/.profile",
		},
		Shebangs: []string{"sh", "bash", "bats", "dash", "ash", "ksh", "ksh88", "ksh93", "oksh", "busybox"},
	},
	Controls: []string{".shellcheckrc", "shellcheckrc"},
	Inspect:  inspect,

	Command: []string{"/usr/bin/shellcheck", "--norc", "--color=never", "--severity=style", "--format=json1", scanners.Files},
	Env:     []string{"HOME=/tmp", "LANG=C.UTF-8"},
	Needs: scanners.Needs{
		CPU: 1, Memory: 2 << 30, Tmp: 16 << 20, Pids: 64, Timeout: 10 * time.Minute,
	},

	// 2 is a file that could not be read, 3 and 4 are usage.
	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Argument,
	Canary: scanners.Canary{
		Files: map[string]string{"scangate-canary.sh": "#!/bin/sh\nrm -rf $1\n"},
		Path:  "scangate-canary.sh",
		Rule:  "SC2086",
	},
	Read: read,
}

type report struct {
	Comments []comment `json:"comments" strict:"required"`
}

type comment struct {
	File      string `json:"file" strict:"required"`
	Line      int    `json:"line"`
	EndLine   int    `json:"endLine"`
	Column    int    `json:"column"`
	EndColumn int    `json:"endColumn"`
	Level     string `json:"level" strict:"required"`
	Code      int    `json:"code" strict:"required"`
	Message   string `json:"message" strict:"required"`
	Fix       *struct {
		Replacements []replacement `json:"replacements"`
	} `json:"fix"`
}

type replacement struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"replacement"`
}

var levels = map[string]finding.Level{
	"error": finding.Error, "warning": finding.Warning, "info": finding.Note, "style": finding.Note,
}

// notLooked are the comments by which ShellCheck says that it did not analyse a file, and what to say then. Each is a
// result like any other, with exit status 1.
var notLooked = map[int]string{
	1071: "unsupported-shell",
	1072: "unparsable",
	1073: "unparsable",
}

func read(run scanners.Run) (scanners.Report, error) {
	var r report
	if err := strictjson.Decode(run.Stdout, &r); err != nil {
		return scanners.Report{}, err
	}
	if len(run.Stderr) > 0 {
		return scanners.Report{}, fmt.Errorf("complaint on stderr: %.200q", run.Stderr)
	}
	rep := scanners.Report{Source: scanners.Argument}
	unread := map[string]bool{}
	for _, c := range r.Comments {
		path, err := scanners.Below(c.File)
		if err != nil {
			return scanners.Report{}, err
		}
		level, ok := levels[c.Level]
		if !ok {
			return scanners.Report{}, fmt.Errorf("unknown level %q", c.Level)
		}
		if why, ok := notLooked[c.Code]; ok && !unread[path] {
			unread[path] = true
			rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: why})
		}
		rep.Findings = append(rep.Findings, finding.Finding{
			Rule: fmt.Sprintf("SC%d", c.Code), Level: level, Path: path,
			StartLine: c.Line, StartColumn: c.Column, EndLine: c.EndLine, EndColumn: c.EndColumn,
			Message: strings.TrimSpace(c.Message), Fix: c.fix(),
			Help: fmt.Sprintf("https://www.shellcheck.net/wiki/SC%d", c.Code),
		})
	}
	n := len(run.Targets) - len(rep.Unread)
	rep.FilesRead = &n
	return rep, nil
}

// fix tells what to type where, from ShellCheck's replacements.
func (c comment) fix() string {
	if c.Fix == nil {
		return ""
	}
	var steps []string
	for _, r := range c.Fix.Replacements {
		steps = append(steps, fmt.Sprintf("%d:%d %q", r.Line, r.Column, r.Text))
	}
	if len(steps) == 0 {
		return ""
	}
	return "put " + strings.Join(steps, ", ")
}
