// Package semgrep adapts Semgrep's OCaml program with a rule pack of our own, for several languages.
package semgrep

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

//go:embed rules/*.yaml
var files embed.FS

// Scanner runs the rules below rules/ over files that are named one by one: the program then fails where one is missing,
// and its JSON names what it scanned. A file that it says it could not parse counts as unread, with what it found all the same.
// It does not say so of every one: a rule's words are looked for before a file is parsed, and Python's parser recovers
// from some errors without a word.
var Scanner = scanners.Scanner{
	Name:    "semgrep",
	Version: "1.185.0",
	About:   "insecure code in Python, JavaScript, TypeScript, Go, Java, Ruby and PHP",
	Licence: "LGPL-2.1-or-later",
	Home:    "https://semgrep.dev/docs/",

	Scope: scanners.FileScope,
	// Semgrep 1.185.0 takes *.min.js for no JavaScript and *.d.ts for no TypeScript, also where they are named. By their
	// first line it knows executable files only.
	Inputs: scanners.Inputs{Globs: []string{"**/*.py", "**/*.pyi", "**/*.js", "**/*.jsx", "**/*.cjs", "**/*.mjs",
		"**/*.ts", "**/*.tsx", "**/*.go", "**/*.java", "**/*.rb", "**/*.php", "**/*.phtml", "**/*.tpl"},
		Exclude:  []string{"**/*.min.js", "**/*.d.ts"},
		Programs: []string{"python", "python2", "python3", "node", "nodejs", "ts-node", "ruby", "php"}},
	Controls: []string{".semgrepignore", ".semgrep.y*ml", ".semgrepconfig*", ".gitignore", ".gitmodules"},
	Excuse:   excuse,

	// With a timeout of its own, what it finds depends on the machine's load. --strict: a broken file or rule is an
	// error. Without LD_LIBRARY_PATH the program looks for libraries below /src first (its RUNPATH).
	Command: []string{"/opt/semgrep/osemgrep", "scan", "--experimental", "--metrics=off", "--disable-version-check",
		"--config", scanners.Config, "--json", "--error", "--strict", "--no-git-ignore",
		"--x-ignore-semgrepignore-files", "--disable-nosem", "--no-exclude-minified-files", "--no-exclude-binary-files", "--timeout", "0",
		"--timeout-threshold", "0", "--max-target-bytes", "0", "--jobs", "1", "--", scanners.Files},
	// It runs uname when it starts.
	Env: []string{"HOME=/tmp", "LD_LIBRARY_PATH=/opt/semgrep/libs", "NO_COLOR=1", "PATH=/bin:/usr/bin",
		"SEMGREP_SEND_METRICS=off", "TZ=UTC"},
	Config: config,
	Needs:  scanners.Needs{CPU: 1, Memory: 2 << 30, Tmp: 256 << 20, Pids: 64, Timeout: 15 * time.Minute},

	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Reported,
	Canary: scanners.Canary{
		Files: map[string]string{canary: "eval(input())\n"},
		Path:  canary,
		Rule:  "python-eval",
	},
	Read: read,
}

const canary = scanners.CanaryPrefix + ".py"

var config = scanners.Folder(files, "rules")

// excuse: *.tpl is PHP to Semgrep, and "<?" begins it, so that it can't parse a template of some XML (1.185.0). One without
// any other "<?" holds no PHP.
func excuse(name string, content []byte) string {
	if !strings.EqualFold(path.Ext(name), ".tpl") {
		return ""
	}
	text := bytes.ToLower(content)
	if all, xml := bytes.Count(text, []byte("<?")), bytes.Count(text, []byte("<?xml ")); xml > 0 && xml == all {
		return "xml"
	}
	return ""
}

type report struct {
	Version string   `json:"version" strict:"required"`
	Results []result `json:"results" strict:"required"`
	Errors  []struct {
		Path    string `json:"path"`
		Message string `json:"message" strict:"required"`
		Type    kind   `json:"type" strict:"required"`
	} `json:"errors" strict:"required"`
	Paths struct {
		Scanned []string `json:"scanned" strict:"required"`
	} `json:"paths" strict:"required"`
	SkippedRules []struct{} `json:"skipped_rules"`
	Time         struct {
		// A taint analysis that was given up, after a time that no flag sets.
		FixpointTimeouts []struct{} `json:"fixpoint_timeouts"`
	} `json:"time"`
}

// kind of an error: a string, or a list of a string and what it is about.
type kind string

func (k *kind) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err == nil && len(list) > 0 {
		text = list[0]
	}
	return json.Unmarshal(text, (*string)(k))
}

type result struct {
	CheckID string `json:"check_id" strict:"required"`
	Path    string `json:"path" strict:"required"`
	Start   point  `json:"start" strict:"required"`
	End     point  `json:"end" strict:"required"`
	Extra   struct {
		Message  string `json:"message" strict:"required"`
		Severity string `json:"severity" strict:"required"`
		Metadata struct {
			Fix string `json:"fix"`
		} `json:"metadata"`
	} `json:"extra" strict:"required"`
}

type point struct {
	Line int `json:"line" strict:"required"`
	Col  int `json:"col" strict:"required"`
}

var levels = map[string]finding.Level{"ERROR": finding.Error, "WARNING": finding.Warning, "INFO": finding.Note}

func read(run scanners.Run) (scanners.Report, error) {
	var r report
	if err := strictjson.Decode(run.Stdout, &r); err != nil {
		return scanners.Report{}, fmt.Errorf("read semgrep: %w", err)
	}
	if n := len(r.SkippedRules); n > 0 {
		return scanners.Report{}, fmt.Errorf("read semgrep: %d rules were skipped", n)
	}
	if n := len(r.Time.FixpointTimeouts); n > 0 {
		return scanners.Report{}, fmt.Errorf("read semgrep: %d taint analyses were given up", n)
	}
	rep := scanners.Report{Source: scanners.Reported}
	scanned := map[string]bool{}
	for _, name := range r.Paths.Scanned {
		path, err := scanners.Below(name)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read semgrep: scanned: %w", err)
		}
		scanned[path] = true
	}
	for _, e := range r.Errors {
		path, err := scanners.Below(e.Path)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read semgrep: the tool reports an error: %s", e.Message)
		}
		delete(scanned, path)
		// The message quotes the source, secrets and all.
		rep.Unread = append(rep.Unread, scanners.Unread{Path: path, Reason: string(e.Type)})
	}
	n := len(scanned)
	rep.FilesRead = &n
	for i, res := range r.Results {
		path, err := scanners.Below(res.Path)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read semgrep: result %d: %w", i, err)
		}
		level, ok := levels[res.Extra.Severity]
		if !ok {
			return scanners.Report{}, fmt.Errorf("read semgrep: result %d: severity %q", i, res.Extra.Severity)
		}
		rep.Findings = append(rep.Findings, finding.Finding{Rule: res.CheckID, Level: level, Path: path,
			StartLine: res.Start.Line, StartColumn: res.Start.Col, EndLine: res.End.Line, EndColumn: res.End.Col,
			Message: res.Extra.Message, Fix: res.Extra.Metadata.Fix})
	}
	return rep, nil
}
