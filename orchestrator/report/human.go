package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/scanners"
)

// Options are how a person wants to read.
type Options struct {
	Color bool
	Width int // of the terminal, in characters; 0 is 100
}

// The colours, by ECMA-48's numbers.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// page is what Human writes on.
type page struct {
	strings.Builder
	Options
}

func (p *page) paint(s string, colours ...string) string {
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + strings.Join(colours, ";") + "m" + s + "\x1b[0m"
}

// block writes text at an indent, wrapped.
func (p *page) block(indent int, text string, colours ...string) {
	margin := strings.Repeat(" ", indent)
	for _, l := range wrap(text, max(30, p.Width-indent)) {
		fmt.Fprintf(p, "%s%s\n", margin, p.paint(l, colours...))
	}
}

// Human writes for a person: the verdict, what each scanner did, the findings by file with the worst file first.
func (r Report) Human(w io.Writer, o Options) error {
	digest, err := r.Digest()
	if err != nil {
		return err
	}
	if o.Width <= 0 {
		o.Width = 100
	}
	p := &page{Options: o}
	s := r.summary()
	fmt.Fprintf(p, "%s%s · %s · %s\n", p.paint(strings.ToUpper(string(r.Decision.Verdict)), bold, verdictColour[r.Decision.Verdict]),
		p.paint(r.restricted(), yellow), blocked(s.Blocking), r.looked(s))
	r.humanReasons(p)
	r.humanScanners(p)
	r.humanFindings(p)
	r.humanRest(p, s)
	fmt.Fprintf(p, "\n%s\n", p.paint("result "+digest, dim))
	_, err = io.WriteString(w, p.String())
	return err
}

var verdictColour = map[gate.Verdict]string{gate.Pass: green, gate.Fail: red, gate.Incomplete: yellow}

func (r Report) humanReasons(p *page) {
	for _, reason := range r.Decision.Reasons {
		if reason.Code != gate.BlockingFindings && reason.Code != gate.OnlySome {
			p.block(2, sentence(reason), yellow)
		}
	}
}

// humanScanners gives a line to each scanner with work to do, and one line to all that had none.
func (r Report) humanScanners(p *page) {
	width, quiet := 0, map[scanners.Status][]string{}
	for _, s := range r.Decision.Results {
		width = max(width, len(line(s.Scanner, maxName)))
	}
	fmt.Fprintln(p)
	for _, s := range r.Decision.Results {
		name := line(s.Scanner, maxName)
		if s.Status == scanners.NotApplicable || s.Status == scanners.NotConfigured {
			quiet[s.Status] = append(quiet[s.Status], name)
			continue
		}
		mark, colour := "!", yellow
		switch {
		case s.Status == scanners.Clean:
			mark, colour = "✓", green
		case s.Status == scanners.Found && slices.ContainsFunc(s.Findings, r.blocks):
			mark, colour = "✗", red
		case s.Status == scanners.Found:
			mark, colour = "•", green
		}
		status := line(string(s.Status), maxName)
		if n := len(s.Findings); n > 0 {
			status += fmt.Sprintf(" %d", n)
		}
		fmt.Fprintf(p, "  %s %-*s  %s %s\n", p.paint(mark, bold, colour), width, name, p.paint(fmt.Sprintf("%-10s", status), colour), p.paint(evidenceLine(s), dim))
		for _, why := range s.Reasons {
			p.block(width+6, line(why.Code, maxName)+": "+line(why.Message, maxShort), yellow)
			if why.Detail != "" {
				p.block(width+8, line(why.Detail, maxShort), dim)
			}
		}
	}
	for _, q := range []struct {
		status scanners.Status
		what   string
	}{{scanners.NotApplicable, "no file in scope"}, {scanners.NotConfigured, "not configured"}} {
		if names := quiet[q.status]; names != nil {
			p.block(2, "– "+q.what+": "+strings.Join(names, ", "), dim)
		}
	}
}

// evidenceLine is "read 12 of 12 files · canary found · image 0123456789ab".
func evidenceLine(s scanners.Result) string {
	e, read := s.Evidence, "?"
	if e.FilesRead != nil {
		read = fmt.Sprint(*e.FilesRead)
	}
	out := []string{fmt.Sprintf("read %s of %s", read, plural(e.FilesInScope, "file"))}
	if e.Canary != "" {
		out = append(out, "canary "+line(e.Canary, maxName))
	}
	if hex, ok := strings.CutPrefix(s.Image.Manifest, "sha256:"); ok {
		out = append(out, "image "+line(hex[:min(12, len(hex))], maxName))
	}
	return strings.Join(out, " · ")
}

// file is one file's findings that are neither known nor suppressed.
type file struct {
	path     string
	blocking bool
	worst    int
	findings []finding.Finding
}

func (r Report) files() []file {
	var out []file
	for _, f := range r.findings() {
		if f.State != finding.New {
			continue
		}
		if len(out) == 0 || out[len(out)-1].path != f.Path {
			out = append(out, file{path: f.Path, worst: rank(f.Level)})
		}
		last := &out[len(out)-1]
		last.findings = append(last.findings, f)
		last.blocking = last.blocking || r.blocks(f)
		last.worst = min(last.worst, rank(f.Level))
	}
	slices.SortStableFunc(out, func(a, b file) int {
		if a.blocking != b.blocking {
			return map[bool]int{true: -1, false: 1}[a.blocking]
		}
		return cmp.Compare(a.worst, b.worst)
	})
	return out
}

var levelColour = map[finding.Level]string{finding.Error: red, finding.Warning: yellow, finding.Note: cyan}

func (r Report) humanFindings(p *page) {
	for _, file := range r.files() {
		fmt.Fprintf(p, "\n%s\n", p.paint(place(file.path), bold))
		width := 0
		for _, f := range file.findings {
			width = max(width, len(position(f)))
		}
		for _, f := range file.findings {
			level := line(string(f.Level), maxName)
			where, aside := "  ", ""
			if width > 0 {
				where += fmt.Sprintf("%-*s  ", width-1, strings.TrimPrefix(position(f), ":"))
			}
			if !r.blocks(f) {
				aside = p.paint("  below the failing level", dim)
			}
			fmt.Fprintf(p, "%s%s %s/%s%s\n", where, p.paint(fmt.Sprintf("%-7s", level), levelColour[f.Level]),
				line(f.Scanner, maxName), line(f.Rule, maxShort), aside)
			indent := max(4, len(where))
			p.block(indent, line(f.Message, maxLong))
			if f.Fix != "" {
				p.block(indent, "fix: "+line(f.Fix, maxLong), green)
			}
			if f.Help != "" {
				// Not wrapped: else an address longer than the line leaves "see" on one of its own.
				fmt.Fprintf(p, "%s%s\n", strings.Repeat(" ", indent), p.paint("see "+line(f.Help, maxShort), dim))
			}
		}
	}
}

func (r Report) humanRest(p *page, s summary) {
	if aside := strings.TrimPrefix(r.asides(s), " · "); aside != "" {
		fmt.Fprintf(p, "\n%s\n", aside)
	}
	for _, u := range r.Decision.Unused {
		p.block(2, line(fmt.Sprintf("the suppression of %s/%s %s covers nothing", u.Scanner, u.Rule, u.Path), maxPath), dim)
	}
	if n := len(r.LeftOut); n > 0 {
		fmt.Fprintf(p, "\n%s not in the snapshot:\n", plural(n, "thing"))
		const shown = 10
		for _, l := range r.LeftOut[:min(n, shown)] {
			p.block(2, place(l.Path)+" ("+line(l.Reason, maxShort)+")", dim)
		}
		if n > shown {
			p.block(2, fmt.Sprintf("and %d more: see --format json", n-shown), dim)
		}
	}
}
