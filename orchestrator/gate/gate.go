// Package gate decides: results, policy, baseline and suppressions in, a Verdict out. It touches nothing.
package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// Verdict is of the whole scan: Pass < Fail < Incomplete.
type Verdict string

const (
	Pass       Verdict = "pass"
	Fail       Verdict = "fail"
	Incomplete Verdict = "incomplete"
)

var ranks = map[Verdict]int{Pass: 0, Fail: 1, Incomplete: 2}

// Exit is the exit status of "scangate run". What is no verdict is incomplete.
func (v Verdict) Exit() int {
	switch v {
	case Pass:
		return 0
	case Fail:
		return 1
	}
	return 3
}

// max gives the graver of two verdicts.
func (v Verdict) max(w Verdict) Verdict {
	if ranks[w] > ranks[v] {
		return w
	}
	return v
}

// Problem is a file that might have been in some scanner's scope and is not in the snapshot: unreadable, too large.
type Problem struct {
	Path   string // below the workspace, raw
	Reason string
}

// Input is all that a decision rests on.
type Input struct {
	Results    []scanners.Result
	Policy     *policy.Policy
	Baseline   map[string]bool // scangate/v1 fingerprints; nil: none
	AsOf       time.Time       // the day, for what expires
	LeftOut    []Problem       // each makes the verdict incomplete
	Restricted bool            // only some scanners were asked for
	Names      []string        // of every scanner there is
}

// Code says why a verdict is not a plain pass.
type Code string

const (
	BlockingFindings  Code = "blocking-findings"
	ScannerBroken     Code = "scanner-broken"         // subject: scanner
	NotConfigured     Code = "scanner-not-configured" // subject: scanner that the policy requires
	ScannerMissing    Code = "scanner-missing"        // subject: scanner that is enabled and gave no result
	ScannerTwice      Code = "scanner-twice"          // subject: scanner with more than one result
	EvidenceMissing   Code = "evidence-missing"       // subject: scanner whose result does not show that it looked
	UnknownScanner    Code = "unknown-scanner"        // subject: scanner that nobody knows
	FileUnreadable    Code = "file-unreadable"        // subject: path
	NothingScanned    Code = "nothing-scanned"
	SuppressionLapsed Code = "suppression-expired" // subject: scanner/rule path; no longer suppresses
	BrokenAdvisory    Code = "advisory-broken"     // subject: scanner that need not look and could not
	OnlySome          Code = "restricted"          // only some scanners were asked for: not the gate
)

var verdicts = map[Code]Verdict{
	BlockingFindings: Fail, SuppressionLapsed: Pass, BrokenAdvisory: Pass, OnlySome: Pass,
	ScannerBroken: Incomplete, NotConfigured: Incomplete, ScannerMissing: Incomplete, ScannerTwice: Incomplete,
	EvidenceMissing: Incomplete, UnknownScanner: Incomplete, FileUnreadable: Incomplete, NothingScanned: Incomplete,
}

// Verdict is the mildest verdict that a scan with this reason can have.
func (c Code) Verdict() Verdict { return verdicts[c] }

// Codes lists them all, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(verdicts)) }

// Reason is a Code and what it is about. Where that is a path, it is as reports print it.
type Reason struct {
	Code    Code   `json:"code"`
	Subject string `json:"subject"`
}

// Decision is what comes of an Input. Its order does not depend on the order of the input.
type Decision struct {
	Verdict  Verdict
	Results  []scanners.Result // by scanner; findings sorted, their State set
	Blocking []finding.Finding // new, and at or over the failing level of their place; sorted
	Reasons  []Reason          // sorted
	Unused   []policy.Suppression
}

// Decide is a maximum over all there is to object to, so no order of the input and no further finding or fault makes
// the verdict milder.
func Decide(in Input) Decision {
	var d Decision
	objections := map[Reason]bool{}
	object := func(c Code, subject string) { objections[Reason{c, subject}] = true }

	used := make([]bool, len(in.Policy.Suppressions))
	looked, seen := false, map[string]bool{}
	for _, r := range in.Results {
		if seen[r.Scanner] {
			object(ScannerTwice, r.Scanner)
		}
		seen[r.Scanner] = true
		if !slices.Contains(in.Names, r.Scanner) {
			object(UnknownScanner, r.Scanner)
		}
		if c := fault(r, in.Policy.Scanner(r.Scanner)); c != "" {
			object(c, r.Scanner)
		}
		looked = looked || Looked(r)

		r.Findings = slices.Clone(r.Findings)
		for i := range r.Findings {
			f := &r.Findings[i]
			f.State = state(*f, in, used)
			if f.State == finding.New && in.Policy.FailingFor(*f).Fails(f.Level) {
				d.Blocking = append(d.Blocking, *f)
				object(BlockingFindings, "")
			}
		}
		finding.Sort(r.Findings)
		d.Results = append(d.Results, r)
	}
	for _, name := range in.Names {
		if !in.Restricted && !seen[name] && in.Policy.Scanner(name).Enabled {
			object(ScannerMissing, name)
		}
	}
	for name := range in.Policy.Scanners {
		if !slices.Contains(in.Names, name) {
			object(UnknownScanner, name)
		}
	}
	for _, p := range in.LeftOut {
		object(FileUnreadable, finding.EncodePath(p.Path))
	}
	if !looked {
		object(NothingScanned, "")
	}
	if in.Restricted {
		object(OnlySome, "")
	}
	for i, s := range in.Policy.Suppressions {
		switch {
		case s.Expired(in.AsOf):
			object(SuppressionLapsed, s.Scanner+"/"+s.Rule+" "+s.Path)
		case !used[i] && (!in.Restricted || seen[s.Scanner]):
			d.Unused = append(d.Unused, s)
		}
	}

	d.Verdict = Pass
	for o := range objections {
		d.Verdict = d.Verdict.max(o.Code.Verdict())
		d.Reasons = append(d.Reasons, o)
	}
	slices.SortFunc(d.Reasons, func(a, b Reason) int {
		return cmp.Or(-cmp.Compare(ranks[a.Code.Verdict()], ranks[b.Code.Verdict()]), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Subject, b.Subject))
	})
	slices.SortStableFunc(d.Results, func(a, b scanners.Result) int {
		return cmp.Or(cmp.Compare(a.Scanner, b.Scanner), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Job, b.Job))
	})
	slices.SortFunc(d.Unused, policy.CompareSuppressions)
	finding.Sort(d.Blocking)
	return d
}

// fault says what keeps a result from being an answer, or "".
func fault(r scanners.Result, s policy.Scanner) Code {
	advisory := s.Required != nil && !*s.Required
	code := Code("")
	switch r.Status {
	case scanners.NotApplicable:
	case scanners.Clean, scanners.Found:
		if !accounted(r) || (r.Status == scanners.Clean) != (len(r.Findings) == 0) {
			code = EvidenceMissing
		}
	case scanners.NotConfigured:
		if s.Required != nil && *s.Required {
			return NotConfigured
		}
	default: // Broken, and any word that is no status
		code = ScannerBroken
	}
	if code != "" && advisory {
		return BrokenAdvisory
	}
	return code
}

// accounted takes positive evidence only: the canary was caught, and where the count is known some file was read or
// each has its reason why not. Whether the source of the count suffices was judged by the adapter's own terms when the
// result was made.
func accounted(r scanners.Result) bool {
	e := r.Evidence
	return e.Canary == "found" && e.FilesInScope > 0 &&
		(e.FilesRead == nil || *e.FilesRead > 0 || len(e.Unread) >= e.FilesInScope)
}

// Looked tells whether r shows that its scanner looked: an answer that is accounted for, and at least one file was read.
func Looked(r scanners.Result) bool {
	return (r.Status == scanners.Clean || r.Status == scanners.Found) && accounted(r) &&
		(r.Evidence.FilesRead == nil || *r.Evidence.FilesRead > 0)
}

// state marks every suppression that covers f as used, so that none is called unused by the order of the file.
func state(f finding.Finding, in Input, used []bool) finding.State {
	s := finding.New
	if in.Baseline[f.Fingerprints[finding.V1]] {
		s = finding.Known
	}
	for i, sup := range in.Policy.Suppressions {
		if !sup.Expired(in.AsOf) && sup.Covers(f) {
			used[i] = true
			s = finding.Suppressed
		}
	}
	return s
}
