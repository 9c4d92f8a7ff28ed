// Package gitleaks adapts Gitleaks, which looks for secrets in any text.
package gitleaks

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

// Scanner runs Gitleaks over the whole view with the vendor's rules, which the image has without their global list of
// paths to pass over. Its log at level trace names each file that it
// reads or skips and ends with the bytes it has read; both are held against the targets.
//
// It does not look into archives or into what Gitleaks takes for a binary document.
var Scanner = scanners.Scanner{
	Name:    "gitleaks",
	Version: "8.30.1",
	About:   "secrets in any text",
	Licence: "MIT",
	Home:    "https://github.com/gitleaks/gitleaks",

	Scope: scanners.FileScope,
	// Lock files are full of digests that look like keys. The vendor's rules pass over them too, silently.
	Inputs: scanners.Inputs{Globs: []string{"**"}, Exclude: []string{"**/go.sum", "**/go.work.sum",
		"**/package-lock.json", "**/npm-shrinkwrap.json", "**/pnpm-lock.yaml", "**/yarn.lock", "**/deno.lock",
		"**/Pipfile.lock", "**/poetry.lock", "**/gradle.lockfile"}},
	// .gitleaksignore is read from the scanned folder whatever the flags say. Names that hold an archive's ending
	// anywhere (x.targets, index.browser.js) are passed over as archives; under an alias without it they are read.
	Controls: []string{".gitleaksignore", ".gitleaks.toml", "gitleaks.toml",
		"*.7z*", "*.br*", "*.bz2*", "*.gz*", "*.lz", "*.lz4*", "*.mz", "*.rar*", "*.s2*", "*.sz*", "*.tar*", "*.xz*",
		"*.zip*", "*.zst*", "*.zz*"},
	Excuse: excuse,

	// By default findings and failures both end with 1. Two folders as arguments mean the working folder instead.
	Command: []string{"/usr/bin/gitleaks", "dir", "-c", "/etc/gitleaks/gitleaks.toml", "--ignore-gitleaks-allow",
		"-i", "/dev/null", "--redact", "--exit-code", "10", "--no-banner", "--no-color", "-l", "trace",
		"-f", "json", "-r", "-", scanners.Workspace},
	Env:   []string{"GOMAXPROCS=2", "HOME=/tmp", "NO_COLOR=1", "TZ=UTC"},
	Needs: scanners.Needs{CPU: 2, Memory: 1 << 30, Tmp: 64 << 20, Pids: 128, Timeout: 10 * time.Minute},

	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 10: scanners.ExitFound},
	Enough: scanners.Reported,
	Canary: scanners.Canary{
		// In two parts, so that this repository holds no token.
		Files: map[string]string{canary: "token = \"" + "ghp" + "_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx" + "\"\n"},
		Path:  canary,
		Rule:  "github-pat",
	},
	Read: read,
}

const canary = scanners.CanaryPrefix + ".txt"

// excuse: what is no text may look like a document or an archive to Gitleaks, which then skips it. Text is never
// excused, so a secret does not hide behind "%PDF" or the name x.tar: Gitleaks says that it skipped it.
func excuse(_ string, content []byte) string {
	if bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content) {
		return "binary"
	}
	return ""
}

type leak struct {
	RuleID      string `json:"RuleID" strict:"required"`
	Description string `json:"Description" strict:"required"`
	File        string `json:"File" strict:"required"`
	StartLine   int    `json:"StartLine" strict:"required"`
	EndLine     int    `json:"EndLine" strict:"required"`
	StartColumn int    `json:"StartColumn" strict:"required"`
	EndColumn   int    `json:"EndColumn" strict:"required"`
}

func read(run scanners.Run) (scanners.Report, error) {
	var leaks []leak
	if err := strictjson.Decode(run.Stdout, &leaks); err != nil {
		return scanners.Report{}, fmt.Errorf("read gitleaks: %w", err)
	}
	l, err := readLog(run.Stderr)
	if err != nil {
		return scanners.Report{}, fmt.Errorf("read gitleaks: log: %w", err)
	}
	if l.leaks != len(leaks) {
		return scanners.Report{}, fmt.Errorf("read gitleaks: %d leaks in the report, %d in the log", len(leaks), l.leaks)
	}
	rep := scanners.Report{Source: scanners.Reported}
	n := 0
	for _, t := range run.Targets {
		switch reason, skipped := l.skipped[t]; {
		case skipped:
			rep.Unread = append(rep.Unread, scanners.Unread{Path: t, Reason: reason})
		case l.read[t]:
			n++
		}
	}
	rep.FilesRead = &n
	// A file that vanishes or fails while it is read is named all the same; its bytes are missing.
	if len(rep.Unread) == 0 && l.bytes < run.Bytes {
		return scanners.Report{}, fmt.Errorf("read gitleaks: it read %d bytes of %d", l.bytes, run.Bytes)
	}
	for i, k := range leaks {
		path, err := scanners.Below(k.File)
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read gitleaks: leak %d: %w", i, err)
		}
		// Match, Secret and Line are left out: they hold the secret.
		rep.Findings = append(rep.Findings, finding.Finding{Rule: k.RuleID, Level: finding.Error, Path: path,
			StartLine: k.StartLine, StartColumn: k.StartColumn, EndLine: k.EndLine, EndColumn: k.EndColumn,
			Message: k.Description})
	}
	return rep, nil
}

type logged struct {
	read    map[string]bool
	skipped map[string]string // path -> reason
	bytes   int64
	leaks   int
}

var (
	entry   = regexp.MustCompile(`^[0-9]{1,2}:[0-9]{2}[AP]M ([A-Z]{3}) (.*)$`)
	field   = regexp.MustCompile(` path=("(?:[^"\\]|\\.)*"|\S+)$`)
	scanned = regexp.MustCompile(`^scanned ~([0-9]+) bytes \(`)
	found   = regexp.MustCompile(`^leaks found: ([0-9]+)$`)
	escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")
)

// readLog reads what Gitleaks 8.30.1 says of the files at level trace. A warning or an error that is not about one file
// is an error here.
func readLog(stderr []byte) (logged, error) {
	l := logged{read: map[string]bool{}, skipped: map[string]string{}, bytes: -1}
	for line := range strings.Lines(string(stderr)) {
		// The first lines are coloured: they are written before --no-color is read.
		m := entry.FindStringSubmatch(escapes.ReplaceAllString(strings.TrimRight(line, "\n"), ""))
		if m == nil {
			return logged{}, fmt.Errorf("%.200q", line)
		}
		level, text := m[1], m[2]
		path := ""
		if f := field.FindStringSubmatch(text); f != nil {
			name := f[1]
			if unquoted, err := strconv.Unquote(name); err == nil {
				name = unquoted
			}
			path, _ = strings.CutPrefix(name, scanners.Workspace+"/")
			text = strings.TrimSuffix(text, f[0])
		}
		var err error
		switch {
		case text == "scanning path", text == "skipping empty file":
			l.read[path] = true
		case path != "" && (strings.HasPrefix(text, "skipping file") || strings.HasPrefix(text, "skipping binary file") ||
			strings.HasPrefix(text, "skipping archive") || strings.HasPrefix(text, "skipping symlink")) &&
			!strings.HasPrefix(text, "skipping file: rule allowlist"):
			l.skipped[path] = strings.TrimPrefix(text, "skipping ")
		case scanned.MatchString(text) && level == "INF":
			l.bytes, err = strconv.ParseInt(scanned.FindStringSubmatch(text)[1], 10, 64)
		case found.MatchString(text):
			l.leaks, err = strconv.Atoi(found.FindStringSubmatch(text)[1])
		case level == "WRN", level == "ERR", level == "FTL", level == "PNC":
			return logged{}, fmt.Errorf("%s %.200s %s", level, text, path)
		}
		if err != nil {
			return logged{}, err
		}
	}
	if l.bytes < 0 {
		return logged{}, fmt.Errorf("no count of the bytes scanned")
	}
	return l, nil
}
