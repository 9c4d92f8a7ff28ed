package report

import (
	"cmp"
	"slices"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// document is the result document. Its members' names are a contract; what is not known is null.
type document struct {
	Schema       string        `json:"schema"`
	Version      string        `json:"version"`
	Verdict      gate.Verdict  `json:"verdict"`
	Reasons      []gate.Reason `json:"reasons"`
	Inputs       inputs        `json:"inputs"`
	Scanners     []scanner     `json:"scanners"`
	Findings     []documented  `json:"findings"`
	LeftOut      []unread      `json:"leftOut"`
	Suppressions suppressions  `json:"suppressions"`
	Summary      summary       `json:"summary"`
}

type inputs struct {
	Snapshot     *string  `json:"snapshot"`
	Policy       *string  `json:"policy"`
	Lock         *string  `json:"lock"`
	Baseline     *string  `json:"baseline"`
	Suppressions *string  `json:"suppressions"`
	Base         *string  `json:"base"`
	Platform     *string  `json:"platform"`
	AsOf         *string  `json:"asOf"`
	Restricted   []string `json:"restricted"`
}

type scanner struct {
	Name     string          `json:"name"`
	Version  *string         `json:"version"`
	Status   scanners.Status `json:"status"`
	Reasons  []reason        `json:"reasons"`
	Image    *scanners.Image `json:"image"`
	Data     []scanners.Data `json:"data"`
	Job      *string         `json:"job"`
	Evidence evidence        `json:"evidence"`
}

type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type evidence struct {
	FilesInScope int      `json:"filesInScope"`
	FilesRead    *int     `json:"filesRead"`
	Source       *string  `json:"source"`
	Unread       []unread `json:"unread"`
	Canary       *string  `json:"canary"`
}

type unread struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

type documented struct {
	Scanner      string            `json:"scanner"`
	Rule         string            `json:"rule"`
	Level        finding.Level     `json:"level"`
	Path         string            `json:"path"`
	StartLine    *int              `json:"startLine"`
	StartColumn  *int              `json:"startColumn"`
	EndLine      *int              `json:"endLine"`
	EndColumn    *int              `json:"endColumn"`
	Message      string            `json:"message"`
	Fix          *string           `json:"fix"`
	Help         *string           `json:"help"`
	Fingerprints map[string]string `json:"fingerprints"`
	State        finding.State     `json:"state"`
	Blocking     bool              `json:"blocking"`
}

type suppressions struct {
	Unused []policy.Suppression `json:"unused"`
}

func (r Report) document() document {
	in := r.Inputs
	d := document{
		Schema: Schema, Version: scanners.Version, Verdict: r.Decision.Verdict,
		Reasons: []gate.Reason{},
		Inputs: inputs{
			Snapshot: text(in.Snapshot), Policy: text(in.Policy), Lock: text(in.Lock), Baseline: text(in.Baseline),
			Suppressions: text(in.Suppressions), Base: text(in.Base), Platform: text(in.Platform), AsOf: text(in.AsOf),
		},
		Scanners: []scanner{}, Findings: []documented{}, LeftOut: []unread{},
		Suppressions: suppressions{Unused: []policy.Suppression{}},
		Summary:      r.summary(),
	}
	if in.Restricted != nil {
		d.Inputs.Restricted = slices.Sorted(slices.Values(in.Restricted))
	}
	for _, x := range r.Decision.Reasons {
		d.Reasons = append(d.Reasons, gate.Reason{Code: x.Code, Subject: visible(x.Subject, maxLong)})
	}
	for _, s := range r.Decision.Results {
		d.Scanners = append(d.Scanners, documentScanner(s))
	}
	for _, f := range r.findings() {
		d.Findings = append(d.Findings, r.documentFinding(f))
	}
	for _, l := range r.LeftOut {
		d.LeftOut = append(d.LeftOut, unread{finding.EncodePath(l.Path), line(l.Reason, maxShort)})
	}
	sortUnread(d.LeftOut)
	for _, s := range r.Decision.Unused {
		s.Rule, s.Path, s.Reason = line(s.Rule, maxShort), visible(s.Path, maxLong), line(s.Reason, maxLong)
		d.Suppressions.Unused = append(d.Suppressions.Unused, s)
	}
	return d
}

func documentScanner(s scanners.Result) scanner {
	e := s.Evidence
	out := scanner{
		Name: line(s.Scanner, maxName), Version: text(line(s.Version, maxName)), Status: s.Status,
		Reasons: []reason{}, Data: []scanners.Data{}, Job: text(s.Job),
		Evidence: evidence{
			FilesInScope: e.FilesInScope, FilesRead: e.FilesRead, Source: text(string(e.Source)),
			Unread: []unread{}, Canary: text(e.Canary),
		},
	}
	if s.Image != (scanners.Image{}) {
		out.Image = &s.Image
	}
	for _, x := range s.Reasons {
		out.Reasons = append(out.Reasons, reason{line(x.Code, maxName), line(x.Message, maxShort)})
	}
	slices.SortFunc(out.Reasons, func(a, b reason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	out.Reasons = slices.Compact(out.Reasons)
	out.Data = append(out.Data, s.Data...)
	slices.SortFunc(out.Data, func(a, b scanners.Data) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	for _, u := range e.Unread {
		out.Evidence.Unread = append(out.Evidence.Unread, unread{finding.EncodePath(u.Path), line(u.Reason, maxShort)})
	}
	sortUnread(out.Evidence.Unread)
	return out
}

func (r Report) documentFinding(f finding.Finding) documented {
	prints := map[string]string{}
	for k, v := range f.Fingerprints {
		prints[line(k, maxName)] = line(v, maxShort)
	}
	return documented{
		Scanner: line(f.Scanner, maxName), Rule: line(f.Rule, maxShort), Level: finding.Level(line(string(f.Level), maxName)), Path: finding.EncodePath(f.Path),
		StartLine: number(f.StartLine), StartColumn: number(f.StartColumn), EndLine: number(f.EndLine), EndColumn: number(f.EndColumn),
		Message: line(f.Message, maxLong), Fix: text(line(f.Fix, maxLong)), Help: text(line(f.Help, maxShort)),
		Fingerprints: prints, State: f.State, Blocking: r.blocks(f),
	}
}

func sortUnread(us []unread) {
	slices.SortFunc(us, func(a, b unread) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
}

// text is null for "".
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// number is null for 0.
func number(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}
