// Package zizmor adapts zizmor, which reads GitHub Actions workflows, actions and Dependabot configuration.
package zizmor

import (
	"fmt"
	"regexp"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

const version = "1.32.0"

const canary = ".github/workflows/scangate-canary.yml"

// Scanner is zizmor. Without --strict-collection a file that does not parse is only a warning (1.32.0), but each file it
// did audit is named on stderr, so the count shows it; with it, one such file would hide the findings in all others.
var Scanner = scanners.Scanner{
	Name:    "zizmor",
	Version: version,
	About:   "injection, excess permissions and unpinned actions in GitHub workflows",
	Licence: "MIT",
	Home:    "https://docs.zizmor.sh",

	Scope: scanners.FileScope,
	// Below any folder, as zizmor does where it is given one.
	Inputs: scanners.Inputs{Globs: []string{
		"**/.github/workflows/*.{yml,yaml}", "**/action.{yml,yaml}", "**/.github/dependabot.{yml,yaml}",
	}},
	Controls: []string{"zizmor.yml", "zizmor.yaml", ".gitignore"},

	Command: []string{
		"/usr/bin/zizmor", "--offline", "--no-progress", "--color", "never", "--no-config", "--no-ignores",
		"--collect", "all", "--format", "json-v1", scanners.Files,
	},
	Env: []string{"HOME=/tmp", "LANG=C.UTF-8"},
	Needs: scanners.Needs{
		CPU: 1, Memory: 1 << 30, Tmp: 16 << 20, Pids: 64, Timeout: 5 * time.Minute,
	},

	// 11 to 14 are findings by the gravest severity, 1 to 3 errors. (In SARIF findings are 0.)
	Exits: map[int]scanners.Exit{
		0: scanners.ExitClean, 11: scanners.ExitFound, 12: scanners.ExitFound, 13: scanners.ExitFound, 14: scanners.ExitFound,
	},
	Enough: scanners.Reported,
	Canary: scanners.Canary{
		Files: map[string]string{canary: `name: canary
on: issues
permissions: {}
jobs:
  canary:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.event.issue.title }}
`},
		Path: canary,
		Rule: "template-injection",
	},
	Read: read,
}

type result struct {
	Ident          string `json:"ident" strict:"required"`
	Desc           string `json:"desc" strict:"required"`
	URL            string `json:"url"`
	Determinations struct {
		Severity string `json:"severity" strict:"required"`
	} `json:"determinations" strict:"required"`
	Locations []location `json:"locations" strict:"required"`
	Fixes     []struct {
		Title string `json:"title"`
	} `json:"fixes"`
}

type location struct {
	Symbolic struct {
		Key struct {
			Local *struct {
				Path string `json:"verbatim_path" strict:"required"`
			} `json:"Local"`
		} `json:"key" strict:"required"`
		Annotation string `json:"annotation"`
		Kind       string `json:"kind" strict:"required"`
	} `json:"symbolic" strict:"required"`
	Concrete struct {
		Location struct {
			Start point `json:"start_point" strict:"required"`
			End   point `json:"end_point" strict:"required"`
		} `json:"location" strict:"required"`
	} `json:"concrete" strict:"required"`
}

// point counts from 0.
type point struct {
	Row    int `json:"row" strict:"required"`
	Column int `json:"column" strict:"required"`
}

var levels = map[string]finding.Level{
	"High": finding.Error, "Medium": finding.Warning, "Low": finding.Note, "Informational": finding.Note,
}

// completed is how zizmor 1.32.0 names each input that it has audited, on stderr.
var completed = regexp.MustCompile(`(?m)^ INFO audit: zizmor: \S+ completed ` + scanners.Workspace + `/(.+)$`)

func read(run scanners.Run) (scanners.Report, error) {
	var results []result
	if err := strictjson.Decode(run.Stdout, &results); err != nil {
		return scanners.Report{}, err
	}
	rep := scanners.Report{Source: scanners.Reported}
	for _, r := range results {
		f, err := r.finding()
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read result of %s: %w", r.Ident, err)
		}
		rep.Findings = append(rep.Findings, f)
	}
	done := map[string]bool{}
	for _, m := range completed.FindAllSubmatch(run.Stderr, -1) {
		done[string(m[1])] = true
	}
	n := 0
	for _, t := range run.Targets {
		if done[t] {
			n++
		} else {
			rep.Unread = append(rep.Unread, scanners.Unread{Path: t, Reason: "not-audited"})
		}
	}
	rep.FilesRead = &n
	return rep, nil
}

// finding takes the primary location: the others are what it stands in.
func (r result) finding() (finding.Finding, error) {
	level, ok := levels[r.Determinations.Severity]
	if !ok {
		return finding.Finding{}, fmt.Errorf("unknown severity %q", r.Determinations.Severity)
	}
	for _, l := range r.Locations {
		if l.Symbolic.Kind != "Primary" {
			continue
		}
		if l.Symbolic.Key.Local == nil {
			return finding.Finding{}, fmt.Errorf("no local file")
		}
		path, err := scanners.Below(l.Symbolic.Key.Local.Path)
		if err != nil {
			return finding.Finding{}, err
		}
		at := l.Concrete.Location
		f := finding.Finding{
			Rule: r.Ident, Level: level, Path: path, Message: r.Desc, Help: r.URL,
			StartLine: at.Start.Row + 1, StartColumn: at.Start.Column + 1,
			EndLine: at.End.Row + 1, EndColumn: at.End.Column + 1,
		}
		if l.Symbolic.Annotation != "" {
			f.Message += ": " + l.Symbolic.Annotation
		}
		if len(r.Fixes) > 0 {
			f.Fix = r.Fixes[0].Title
		}
		return f, nil
	}
	return finding.Finding{}, fmt.Errorf("no primary location")
}
