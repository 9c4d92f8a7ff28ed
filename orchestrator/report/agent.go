package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
)

// AgentLimit bounds what Agent writes, in bytes.
const AgentLimit = 8000

const (
	agentTail    = 600  // kept free for the counts and the digest
	agentReasons = 2400 // at most this much for what went wrong with the scan
)

// Agent writes for a program that pays for every word: one line on a pass, else what to repair, worst first. What is
// wrong with the scan itself is marked "not your code".
func (r Report) Agent(w io.Writer) error {
	digest, err := r.Digest()
	if err != nil {
		return err
	}
	s := r.summary()
	if r.Decision.Verdict == gate.Pass {
		_, err := fmt.Fprintf(w, "scangate: pass%s · %s%s · result %s\n", r.restricted(), r.looked(s), r.asides(s), digest)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "scangate: %s%s · %s · %s\n", r.Decision.Verdict, r.restricted(), blocked(s.Blocking), r.looked(s))
	r.agentReasons(&b)
	r.agentFindings(&b)
	if aside := r.asides(s); aside != "" {
		fmt.Fprintf(&b, "also%s\n", strings.Replace(aside, " ·", ":", 1))
	}
	fmt.Fprintf(&b, "result %s\n", digest)
	_, err = io.WriteString(w, b.String())
	return err
}

func (r Report) agentReasons(b *strings.Builder) {
	end, left, faults := b.Len()+agentReasons, 0, false
	for _, reason := range r.Decision.Reasons {
		if reason.Code == gate.BlockingFindings || reason.Code == gate.OnlySome {
			continue
		}
		said := r.because(reason) + "\n"
		if reason.Code.Verdict() == gate.Incomplete {
			faults = true
			said = "not your code: " + said
		}
		if left > 0 || b.Len()+len(said) > end {
			left++
			continue
		}
		b.WriteString(said)
	}
	if left > 0 {
		fmt.Fprintf(b, "not your code: %s: run with --format json\n", plural(left, "more reason"))
	}
	if faults {
		b.WriteString("these are faults of the scan: no change to the code repairs them\n")
	}
}

func (r Report) agentFindings(b *strings.Builder) {
	blocking := slices.Clone(r.Decision.Blocking)
	slices.SortStableFunc(blocking, func(a, b finding.Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Level), rank(b.Level)), finding.Compare(a, b))
	})
	for i, f := range blocking {
		said := fmt.Sprintf("%s%s %s %s/%s %s\n", place(f.Path), position(f), line(string(f.Level), maxName),
			line(f.Scanner, maxName), line(f.Rule, maxShort), line(f.Message, maxPath))
		if f.Fix != "" {
			said += fmt.Sprintf("  fix: %s\n", line(f.Fix, maxPath))
		}
		if b.Len()+len(said) > AgentLimit-agentTail {
			fmt.Fprintf(b, "%s: run with --format json\n", plural(len(blocking)-i, "more finding"))
			return
		}
		b.WriteString(said)
	}
}

// looked is "8 scanners looked at 214 files".
func (r Report) looked(s summary) string {
	out := plural(s.Looked, "scanner") + " looked"
	if s.Files != nil && s.Looked > 0 {
		out += " at " + plural(*s.Files, "file")
	}
	return out
}

func (r Report) restricted() string {
	if r.Inputs.Restricted == nil {
		return ""
	}
	return " (restricted to " + line(strings.Join(slices.Sorted(slices.Values(r.Inputs.Restricted)), ", "), maxName) + ": not the gate)"
}

// asides counts what does not fail the gate: " · 4 below the failing level, 2 known", or "".
func (r Report) asides(s summary) string {
	var out []string
	lapsed, broken := 0, 0
	for _, reason := range r.Decision.Reasons {
		switch reason.Code {
		case gate.SuppressionLapsed:
			lapsed++
		case gate.BrokenAdvisory:
			broken++
		}
	}
	for _, c := range []struct {
		n    int
		said string
	}{
		{s.Below, fmt.Sprintf("%d below the failing level", s.Below)},
		{s.Known, fmt.Sprintf("%d known", s.Known)},
		{s.Suppressed, fmt.Sprintf("%d suppressed", s.Suppressed)},
		{len(r.Decision.Unused), plural(len(r.Decision.Unused), "unused suppression")},
		{lapsed, plural(lapsed, "expired suppression")},
		{broken, plural(broken, "broken optional scanner")},
	} {
		if c.n > 0 {
			out = append(out, c.said)
		}
	}
	if out == nil {
		return ""
	}
	return " · " + strings.Join(out, ", ")
}

func blocked(n int) string {
	switch n {
	case 0:
		return "no finding blocks"
	case 1:
		return "1 finding blocks"
	}
	return fmt.Sprintf("%d findings block", n)
}
