// Package hadolint adapts hadolint, which reads Dockerfiles and, with ShellCheck's rules, the shell in them.
package hadolint

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/inline"
)

const version = "2.15.1"

//go:embed config
var embedded embed.FS

// Scanner is hadolint. Without -c it looks for .hadolint.yaml in the working directory; an unreadable one is only a
// remark on stderr (2.15.1), so that a word there makes the run void.
var Scanner = scanners.Scanner{
	Name:    "hadolint",
	Version: version,
	About:   "unsafe and unreproducible instructions in Dockerfiles",
	Licence: "GPL-3.0-only",
	Home:    "https://github.com/hadolint/hadolint",

	Scope: scanners.FileScope,
	Inputs: scanners.Inputs{
		Globs: []string{
			"**/{Dockerfile,dockerfile,Containerfile,containerfile}",
			"**/{Dockerfile,dockerfile,Containerfile,containerfile}.*",
			"**/*.{Dockerfile,dockerfile,Containerfile,containerfile}",
		},
		Exclude: []string{"**/*.dockerignore", "**/*.containerignore"},
	},
	Controls: []string{".hadolint.yaml", ".hadolint.yml", "hadolint.yaml", "hadolint.yml"},
	Inspect:  inspect,

	// Without --no-fail 1 is a finding, a missing file, and an unreadable configuration alike.
	Command: []string{
		"/usr/bin/hadolint", "--no-fail", "--no-color", "--disable-ignore-pragma",
		"--config", scanners.Config + "/hadolint.yaml", "--format", "json", scanners.Files,
	},
	Env:    []string{"HOME=/tmp", "LANG=C.UTF-8"},
	Config: scanners.Folder(embedded, "config"),
	Needs: scanners.Needs{
		CPU: 1, Memory: 1 << 30, Tmp: 16 << 20, Pids: 64, Timeout: 5 * time.Minute,
	},

	Exits:  map[int]scanners.Exit{0: scanners.ExitEither},
	Enough: scanners.Argument,
	Canary: scanners.Canary{
		Files: map[string]string{"scangate-canary.dockerfile": "FROM scratch\nRUN sudo true\n"},
		Path:  "scangate-canary.dockerfile",
		Rule:  "DL3004",
	},
	Read: read,
}

// pragma is a comment that switches checks off and that --disable-ignore-pragma does not stop (2.15.1): another shell
// for hadolint means that ShellCheck's rules are not asked, and ShellCheck's own directives work in here documents.
var pragma = regexp.MustCompile(`#[\s\p{Z}]*(?:hadolint[\s\p{Z}]+shell[\s\p{Z}]*=|shellcheck[\s\p{Z}](?:[^#]|[^ ]#|"[^"]*"|'[^']*')*\b(?:disable|extended-analysis)[\s\p{Z}]*=)[^\s\p{Z}]*`)

func inspect(path string, content []byte) []finding.Finding {
	return inline.Find(path, content, pragma)
}

type result struct {
	File    string `json:"file" strict:"required"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Level   string `json:"level" strict:"required"`
	Code    string `json:"code" strict:"required"`
	Message string `json:"message" strict:"required"`
}

var levels = map[string]finding.Level{
	"error": finding.Error, "warning": finding.Warning, "info": finding.Note, "style": finding.Note,
}

// unparsable is the rule of a Dockerfile that could not be parsed: then no other rule has looked at it.
const unparsable = "DL1000"

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
		path, err := scanners.Below(r.File)
		if err != nil {
			return scanners.Report{}, err
		}
		level, ok := levels[r.Level]
		if !ok {
			return scanners.Report{}, fmt.Errorf("unknown level %q", r.Level)
		}
		if r.Code == unparsable {
			rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: "unparsable"})
		}
		rep.Findings = append(rep.Findings, finding.Finding{
			Rule: r.Code, Level: level, Path: path, StartLine: r.Line, StartColumn: r.Column,
			Message: strings.TrimSpace(r.Message), Help: help(r.Code),
		})
	}
	n := len(run.Targets) - len(rep.Unread)
	rep.FilesRead = &n
	return rep, nil
}

func help(rule string) string {
	if strings.HasPrefix(rule, "SC") {
		return "https://www.shellcheck.net/wiki/" + rule
	}
	return "https://github.com/hadolint/hadolint/wiki/" + rule
}
