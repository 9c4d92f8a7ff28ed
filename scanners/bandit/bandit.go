// Package bandit adapts Bandit, which looks for insecure calls in Python.
package bandit

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

//go:embed config
var files embed.FS

// Scanner runs Bandit over files that are named one by one, so that its own exclusions do not apply, and reads its JSON:
// the SARIF formatter does not name the files that were read.
var Scanner = scanners.Scanner{
	Name:    "bandit",
	Version: "1.9.4",
	About:   "insecure calls in Python",
	Licence: "Apache-2.0",
	Home:    "https://bandit.readthedocs.io/",

	Scope:    scanners.FileScope,
	Inputs:   scanners.Inputs{Globs: []string{"**/*.py", "**/*.pyw"}, Shebangs: []string{"python", "python2", "python3", "python3.*", "pypy3"}},
	Controls: []string{".bandit", "bandit.y*ml", "bandit.toml", "pyproject.toml", "setup.cfg", "tox.ini", "sitecustomize.py", "usercustomize.py"},

	// -P and -s keep the folder it starts in and the user's folder out of the import path; -I would do so too, but it
	// also ignores PYTHONHASHSEED. An empty --ini keeps a .bandit file in the tree from being looked for.
	// Without -x Bandit passes over .tox, __pycache__ and others even where a file in them is named; no path holds "//".
	// Without -q it draws a progress bar on stdout, before the report, for more than 50 files (1.9.4).
	Command: []string{"/usr/bin/python3.11", "-P", "-s", "-m", "bandit", "-q", "--ini", scanners.Config + "/bandit.ini",
		"--ignore-nosec", "-x", "//", "-f", "json", "--", scanners.Files},
	Env:    []string{"HOME=/tmp", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "TZ=UTC"},
	Config: config,
	Needs:  scanners.Needs{CPU: 1, Memory: 1 << 30, Tmp: 64 << 20, Pids: 32, Timeout: 10 * time.Minute},

	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Reported,
	Canary: scanners.Canary{
		Files: map[string]string{canary: "import subprocess\nsubprocess.call(input(), shell=True)\n"},
		Path:  canary,
		Rule:  "B602",
	},
	Read: read,
}

const canary = scanners.CanaryPrefix + ".py"

var config = scanners.Folder(files, "config")

type report struct {
	// Errors names the files that were skipped. Bandit 1.9.4 exits 0 or 1 all the same.
	Errors []struct {
		Filename string `json:"filename" strict:"required"`
		Reason   string `json:"reason" strict:"required"`
	} `json:"errors" strict:"required"`
	// Metrics has a name for each file that was opened, those of Errors that could not be parsed among them.
	Metrics map[string]struct{} `json:"metrics" strict:"required"`
	Results []result            `json:"results" strict:"required"`
}

type result struct {
	TestID       string `json:"test_id" strict:"required"`
	Filename     string `json:"filename" strict:"required"`
	Severity     string `json:"issue_severity" strict:"required"`
	Text         string `json:"issue_text" strict:"required"`
	Line         int    `json:"line_number" strict:"required"`
	LineRange    []int  `json:"line_range" strict:"required"`
	ColOffset    int    `json:"col_offset"`
	EndColOffset int    `json:"end_col_offset"`
	MoreInfo     string `json:"more_info"`
}

var levels = map[string]finding.Level{"HIGH": finding.Error, "MEDIUM": finding.Warning, "LOW": finding.Note}

func read(run scanners.Run) (scanners.Report, error) {
	var r report
	if err := strictjson.Decode(run.Stdout, &r); err != nil {
		return scanners.Report{}, fmt.Errorf("read bandit: %w", err)
	}
	rep := scanners.Report{Source: scanners.Reported}
	skipped := map[string]bool{}
	for _, e := range r.Errors {
		path, err := scanners.Below(e.Filename)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read bandit: skipped file: %w", err)
		}
		skipped[path] = true
		rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: e.Reason})
	}
	if len(rep.Unread) == 0 {
		if err := quiet(run.Stderr); err != nil {
			return scanners.Report{}, fmt.Errorf("read bandit: log: %w", err)
		}
	}
	n := 0
	for name := range r.Metrics {
		if name == "_totals" {
			continue
		}
		path, err := scanners.Below(name)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read bandit: metrics: %w", err)
		}
		if !skipped[path] {
			n++
		}
	}
	rep.FilesRead = &n
	for i, res := range r.Results {
		f, err := res.finding()
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read bandit: result %d: %w", i, err)
		}
		rep.Findings = append(rep.Findings, f)
	}
	return rep, nil
}

// quiet refuses a log with anything above INFO: a configuration that Bandit cannot parse is but a warning to it.
func quiet(stderr []byte) error {
	for line := range bytes.Lines(stderr) {
		if _, text, ok := bytes.Cut(line, []byte("]\t")); !ok || !bytes.HasPrefix(text, []byte("INFO\t")) {
			return fmt.Errorf("%.200s", bytes.TrimSpace(line))
		}
	}
	return nil
}

func (r result) finding() (finding.Finding, error) {
	path, err := scanners.Below(r.Filename)
	if err != nil {
		return finding.Finding{}, err
	}
	level, ok := levels[r.Severity]
	if !ok {
		return finding.Finding{}, fmt.Errorf("severity %q", r.Severity)
	}
	f := finding.Finding{Rule: r.TestID, Level: level, Path: path, StartLine: r.Line, EndLine: r.Line,
		Message: mask(r.TestID, r.Text), Help: r.MoreInfo}
	if n := len(r.LineRange); n > 0 {
		f.EndLine = max(r.Line, r.LineRange[n-1])
	}
	// Bandit counts columns from 0, and end_col_offset is on the last line of the node.
	f.StartColumn = r.ColOffset + 1
	if f.EndLine == f.StartLine && r.EndColOffset > 0 {
		f.EndColumn = r.EndColOffset + 1
	}
	if f.StartLine < 1 || f.StartColumn < 1 {
		return finding.Finding{}, fmt.Errorf("line %d, column %d", f.StartLine, f.StartColumn)
	}
	return f, nil
}

var literal = regexp.MustCompile(`(?s)'.*'|".*"`)

// mask takes the password out of what B105, B106 and B107 say: "Possible hardcoded password: 'the password'".
func mask(rule, text string) string {
	switch rule {
	case "B105", "B106", "B107":
		return literal.ReplaceAllLiteralString(text, "'…'")
	}
	return text
}
