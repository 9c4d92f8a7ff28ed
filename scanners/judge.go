package scanners

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scangate/scangate/pkg/finding"
)

// View is what Judge has to know of a job's view beside Run.Targets.
type View struct {
	Has     func(path string) bool // is there such a file in the view? nil: only the targets are
	Excused []Unread               // files in scope that are no targets because Scanner.Excuse said so
	// Inspected is what Scanner.Inspect found in the targets, by their paths in the view.
	Inspected []finding.Finding
}

// Judge makes a Result of what one job of s left behind. It trusts no exit status alone: Clean and Found need a listed
// status, a report that was read whole and agrees with the status, the canary, and evidence of Enough strength that
// every target was read. Whatever is wrong makes the Result Broken, with its reasons, one for each code; what was found stays in it.
//
// The canary is due wherever Canary.Path is a target, and in every job of a FileScope scanner. Findings in canary
// files and canaries in the counts are left out of the Result. Image, Data and Job are left to the caller.
func Judge(s Scanner, run Run, view View) Result {
	targets := map[string]bool{}
	canaries := 0
	for _, t := range run.Targets {
		targets[t] = true
		if s.isCanary(t) {
			canaries++
		}
	}
	r := Result{Scanner: s.Name, Version: s.Version, Status: Broken, Evidence: Evidence{
		FilesInScope: len(run.Targets) - canaries + len(view.Excused),
		Source:       CanaryOnly,
		Unread:       slices.Clone(view.Excused),
	}}
	due := s.Scope == FileScope || targets[s.Canary.Path]
	if due {
		r.Evidence.Canary = "missing"
	}
	exit, ok := s.Exits[run.Exit]
	if !ok {
		r.Reasons = []Reason{Because(UnlistedExit, fmt.Sprintf("exit status %d; %s", run.Exit, tail(run.Stderr)))}
		return r
	}
	rep, err := s.Read(run)
	if err == nil {
		err = rep.check()
	}
	if err != nil {
		r.Reasons = []Reason{Because(UnreadableReport, err.Error())}
		return r
	}

	blame := func(code Code, format string, args ...any) {
		detail := fmt.Sprintf(format, args...)
		for i := range r.Reasons {
			if r.Reasons[i].Code == code {
				r.Reasons[i].Detail += "; " + detail
				return
			}
		}
		r.Reasons = append(r.Reasons, Because(code, detail))
	}
	if n := len(rep.Findings); exit == ExitClean && n > 0 || exit == ExitFound && n == 0 {
		blame(ExitMismatch, "exit status %d and %d findings", run.Exit, n)
	}
	for _, f := range rep.Findings {
		switch {
		case s.isCanary(f.Path) && due:
			if f.Path == s.Canary.Path && f.Rule == s.Canary.Rule {
				r.Evidence.Canary = "found"
			}
		case targets[f.Path] || view.Has != nil && view.Has(f.Path):
			f.Scanner = s.Name
			r.Findings = append(r.Findings, f)
		default:
			blame(ForeignPath, "%q", f.Path)
		}
	}
	for _, f := range view.Inspected {
		f.Scanner = s.Name
		r.Findings = append(r.Findings, f)
	}
	if r.Evidence.Canary == "missing" {
		blame(CanaryMissing, "no %s in %s", s.Canary.Rule, s.Canary.Path)
	}
	for _, u := range rep.Unread {
		r.Evidence.Unread = append(r.Evidence.Unread, u)
		blame(FileNotRead, "%s: %s", u.Path, u.Reason)
	}
	r.Evidence.Source = rep.Source
	if rep.FilesRead != nil {
		if *rep.FilesRead != len(run.Targets) {
			blame(CountMismatch, "read %d of %d files", *rep.FilesRead, len(run.Targets))
		}
		read := max(0, *rep.FilesRead-canaries)
		r.Evidence.FilesRead = &read
	}
	if rank(rep.Source) > rank(s.Enough) {
		blame(WeakEvidence, "%s, want %s", rep.Source, s.Enough)
	}

	finding.Sort(r.Findings)
	slices.SortFunc(r.Evidence.Unread, func(a, b Unread) int {
		return strings.Compare(a.Path+"\x00"+a.Reason, b.Path+"\x00"+b.Reason)
	})
	switch {
	case len(r.Reasons) > 0:
	case len(r.Findings) > 0:
		r.Status = Found
	default:
		r.Status = Clean
	}
	return r
}

func (s Scanner) isCanary(path string) bool {
	_, ok := s.Canary.Files[path]
	return ok
}

// check holds a reader to its contract.
func (r Report) check() error {
	for _, f := range r.Findings {
		if f.Rule == "" || f.Path == "" || f.Message == "" || !f.Level.Valid() {
			return fmt.Errorf("a finding without rule, path, message or level: %+v", f)
		}
	}
	if rank(r.Source) < 0 {
		return fmt.Errorf("source %q", r.Source)
	}
	if (r.FilesRead == nil) != (r.Source == CanaryOnly) {
		return errors.New("a count of files read without its source, or a source without its count")
	}
	return nil
}

// rank is 0 for the strongest source; -1 for none.
func rank(s Source) int { return slices.Index([]Source{Reported, Argument, Observed, CanaryOnly}, s) }

// tail is the last line of what a tool said, for people.
func tail(stderr []byte) string {
	line := strings.TrimSpace(string(stderr))
	line = line[strings.LastIndexByte(line, '\n')+1:]
	return line[:min(len(line), 300)]
}

// Weaker returns the weaker of two sources.
func Weaker(a, b Source) Source {
	if rank(b) > rank(a) {
		return b
	}
	return a
}
