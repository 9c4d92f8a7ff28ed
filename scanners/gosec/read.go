package gosec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
	"github.com/scangate/scangate/scanners"
)

type report struct {
	Errors map[string][]struct{} `json:"Golang errors" strict:"required"`
	Issues []issue               `json:"Issues" strict:"required"`
	Stats  struct {
		Files int `json:"files" strict:"required"`
	} `json:"Stats" strict:"required"`
}

type issue struct {
	Severity   string `json:"severity" strict:"required"`
	Confidence string `json:"confidence" strict:"required"`
	Rule       string `json:"rule_id" strict:"required"`
	Details    string `json:"details" strict:"required"`
	File       string `json:"file" strict:"required"`
	Line       string `json:"line" strict:"required"` // "12" or "12-15"
	Column     string `json:"column" strict:"required"`
}

// ranks: an issue is as grave as its severity, one step less where gosec is not sure of it (confidence below HIGH).
var ranks = map[string]int{"LOW": 0, "MEDIUM": 1, "HIGH": 2}

var levels = []finding.Level{finding.Note, finding.Warning, finding.Error}

// ordinary are the lines that gosec prints on stderr when all is well, in 2.29.0. It names each file it checks. Whatever
// else stands there (a package without SSA form, a rule or analyzer that failed, a recovered panic) is in no report.
var ordinary = regexp.MustCompile(`^\[gosec\] [0-9/]+ [0-9:]+ (Including rules|Excluding rules|Including analyzers|Excluding analyzers|Import directory|Checking package|Checking file): (.*)$`)

func read(run scanners.Run) (scanners.Report, error) {
	var r report
	if err := strictjson.Decode(run.Stdout, &r); err != nil {
		return scanners.Report{}, err
	}
	rep := scanners.Report{Source: scanners.Reported}
	// A package is loaded again for each folder without files to build beside it: the same issue comes more than once.
	seen := map[issue]bool{}
	for _, i := range r.Issues {
		if seen[i] {
			continue
		}
		seen[i] = true
		f, err := i.finding()
		if err != nil {
			return scanners.Report{}, fmt.Errorf("read issue %s: %w", i.Rule, err)
		}
		rep.Findings = append(rep.Findings, f)
	}
	for name := range r.Errors {
		rep.Unread = append(rep.Unread, scanners.Unread{Path: below(run.Dir, name), Reason: "go-error"})
	}

	checked, complaint := map[string]bool{}, false
	for line := range strings.Lines(string(run.Stderr)) {
		m := ordinary.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil:
			complaint = true
		case m[1] == "Checking file":
			checked[strings.TrimPrefix(m[2], scanners.Workspace+"/")] = true
		}
	}
	if complaint {
		rep.Unread = append(rep.Unread, scanners.Unread{Path: below(run.Dir, ""), Reason: "not-analysed"})
	}
	n := 0
	for _, t := range run.Targets {
		if checked[t] {
			n++
		} else {
			rep.Unread = append(rep.Unread, scanners.Unread{Path: t, Reason: "not-checked"})
		}
	}
	if r.Stats.Files < n {
		return scanners.Report{}, fmt.Errorf("%d files checked, but %d counted", n, r.Stats.Files)
	}
	rep.FilesRead = &n
	slices.SortFunc(rep.Unread, func(a, b scanners.Unread) int { return strings.Compare(a.Path, b.Path) })
	return rep, nil
}

// below is where name stands below the workspace; gosec names files absolutely or from its working directory, and leaves
// the name out where it knows none: then it is the module's folder.
func below(dir, name string) string {
	if !path.IsAbs(name) {
		name = path.Join(scanners.Workspace, dir, name)
	}
	p, err := scanners.Below(name)
	if err != nil {
		return "."
	}
	return p
}

func (i issue) finding() (finding.Finding, error) {
	severity, ok := ranks[i.Severity]
	if !ok {
		return finding.Finding{}, fmt.Errorf("unknown severity %q", i.Severity)
	}
	confidence, ok := ranks[i.Confidence]
	if !ok {
		return finding.Finding{}, fmt.Errorf("unknown confidence %q", i.Confidence)
	}
	if confidence < ranks["HIGH"] {
		severity = max(severity-1, 0)
	}
	file, err := scanners.Below(i.File)
	if err != nil {
		return finding.Finding{}, err
	}
	f := finding.Finding{Rule: i.Rule, Level: levels[severity], Path: file, Message: i.Details,
		Help: "https://github.com/securego/gosec/blob/v" + version + "/RULES.md"}
	first, last, ranged := strings.Cut(i.Line, "-")
	if f.StartLine, err = strconv.Atoi(first); err != nil {
		return finding.Finding{}, fmt.Errorf("read line: %w", err)
	}
	if ranged {
		if f.EndLine, err = strconv.Atoi(last); err != nil {
			return finding.Finding{}, fmt.Errorf("read line: %w", err)
		}
	}
	if f.StartColumn, err = strconv.Atoi(i.Column); err != nil {
		return finding.Finding{}, fmt.Errorf("read column: %w", err)
	}
	return f, nil
}
