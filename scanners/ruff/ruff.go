// Package ruff adapts Ruff's port of the Bandit rules, which looks for insecure code in Python.
package ruff

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

// Scanner runs the S rules alone, over files that are named one by one, so that Ruff's exclusions do not apply. It reads
// JSON, which holds paths where SARIF has URIs, and -v for the names of the files that were looked at.
var Scanner = scanners.Scanner{
	Name:    "ruff",
	Version: "0.17.6",
	About:   "insecure code in Python (flake8-bandit rules)",
	Licence: "MIT",
	Home:    "https://docs.astral.sh/ruff/",

	Scope:    scanners.FileScope,
	Inputs:   scanners.Inputs{Globs: []string{"**/*.py", "**/*.pyi", "**/*.ipynb"}, Shebangs: []string{"python", "python2", "python3", "python3.*", "pypy3"}},
	Controls: []string{"ruff.toml", ".ruff.toml", "pyproject.toml"},

	// Without --no-cache Ruff wants to write beside the files, and ends with 2 where it may not.
	Command: []string{"/usr/bin/ruff", "check", "-v", "--isolated", "--no-cache", "--ignore-noqa", "--no-fix", "--select", "S",
		"--output-format", "json", "--", scanners.Files},
	Env:   []string{"HOME=/tmp", "NO_COLOR=1", "RAYON_NUM_THREADS=1", "TZ=UTC"},
	Needs: scanners.Needs{CPU: 1, Memory: 1 << 30, Tmp: 16 << 20, Pids: 64, Timeout: 5 * time.Minute},

	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Reported,
	Canary: scanners.Canary{
		Files: map[string]string{canary: "import subprocess\nsubprocess.call(input(), shell=True)\n"},
		Path:  canary,
		Rule:  "S602",
	},
	Read: read,
}

const canary = scanners.CanaryPrefix + ".py"

type diagnostic struct {
	Code     string `json:"code" strict:"required"`
	Filename string `json:"filename" strict:"required"`
	Message  string `json:"message" strict:"required"`
	Cell     *int   `json:"cell"` // of a notebook, from 1; rows and columns are the cell's then
	Location point  `json:"location" strict:"required"`
	End      point  `json:"end_location" strict:"required"`
	URL      string `json:"url"`
}

type point struct {
	Row    int `json:"row" strict:"required"`
	Column int `json:"column" strict:"required"`
}

func read(run scanners.Run) (scanners.Report, error) {
	var ds []diagnostic
	if err := strictjson.Decode(run.Stdout, &ds); err != nil {
		return scanners.Report{}, fmt.Errorf("read ruff: %w", err)
	}
	checked, failed, err := readLog(run.Stderr, run.Targets)
	if err != nil {
		return scanners.Report{}, fmt.Errorf("read ruff: log: %w", err)
	}
	rep := scanners.Report{Source: scanners.Reported}
	for _, path := range slices.Sorted(maps.Keys(failed)) {
		rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: failed[path]})
	}
	for i, d := range ds {
		path, err := scanners.Below(d.Filename)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read ruff: result %d: %w", i, err)
		}
		// A file that Ruff cannot parse gets no S rule: it is not a finding, it was not looked at.
		if d.Code == "invalid-syntax" {
			if checked[path] {
				delete(checked, path)
				rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: "invalid syntax"})
			}
			continue
		}
		f := finding.Finding{Rule: d.Code, Level: level(d.Code), Path: path, Message: d.Message, Help: d.URL}
		if d.Cell != nil {
			// Which line of the notebook's JSON that is, Ruff does not say.
			f.Message = fmt.Sprintf("cell %d, line %d: %s", *d.Cell, d.Location.Row, d.Message)
		} else {
			f.StartLine, f.StartColumn, f.EndLine, f.EndColumn = d.Location.Row, d.Location.Column, d.End.Row, d.End.Column
		}
		rep.Findings = append(rep.Findings, f)
	}
	n := len(checked)
	rep.FilesRead = &n
	return rep, nil
}

var (
	debug    = regexp.MustCompile(`^\[[-0-9]+\]\[[:0-9]+\]\[ruff[a-z_:]*\]\[DEBUG\] (.*)$`)
	checking = "Checking: "
	total    = regexp.MustCompile(`^Checked ([0-9]+) files? in: `)
	warning  = "warning: Failed to lint " + scanners.Workspace + "/"
)

// readLog returns which files Ruff looked at by its own log, and which it could not lint and why: Ruff 0.17.6 counts a
// file that is missing, unreadable or not UTF-8, warns of it, and ends with 0. Any other line that is not at level DEBUG
// is an error.
func readLog(stderr []byte, targets []string) (checked map[string]bool, failed map[string]string, err error) {
	checked, failed = map[string]bool{}, map[string]string{}
	counted := -1
	for line := range strings.Lines(string(stderr)) {
		line = strings.TrimRight(line, "\n")
		if about, ok := strings.CutPrefix(line, warning); ok {
			path, reason, _ := strings.Cut(about, ": ") // no name in a view holds a colon
			if !slices.Contains(targets, path) {
				return nil, nil, fmt.Errorf("%.200s", line)
			}
			failed[path] = reason
			continue
		}
		m := debug.FindStringSubmatch(line)
		if m == nil {
			return nil, nil, fmt.Errorf("%.200s", strings.TrimSpace(line))
		}
		text := m[1]
		if name, ok := strings.CutPrefix(text, checking); ok {
			path, err := scanners.Below(name)
			if err != nil {
				return nil, nil, err
			}
			checked[path] = true
		}
		if m := total.FindStringSubmatch(text); m != nil {
			if counted, err = strconv.Atoi(m[1]); err != nil {
				return nil, nil, err
			}
		}
	}
	for path := range failed {
		checked[path] = true
	}
	if counted != len(checked) {
		return nil, nil, fmt.Errorf("%d files counted, %d named", counted, len(checked))
	}
	for path := range failed {
		delete(checked, path)
	}
	return checked, failed, nil
}
