// Package sarif reads what scanners print as SARIF 2.1.0. It refuses whatever could be an incomplete report
// (appendix I of the specification) instead of reading it as one with fewer results.
package sarif

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/strictjson"
)

// Options say what a tool's report has to look like.
type Options struct {
	Tool string // tool.driver.name of every run
	Root string // absolute path of the workspace as the tool saw it
	Dir  string // folder below Root that relative URIs start from, "" for Root itself
	// Paths: the tool writes plain paths where the specification wants URIs, so nothing is percent-decoded.
	Paths bool
}

// Read returns the results of every run of a log as findings, in the log's order: Scanner, Fingerprints and State are
// left empty, Path is below Root. Results of level "none", such as those of kind "pass", are no findings.
//
// It is an error if the log is not exactly one strict JSON document (see strictjson), is not of version 2.1.0, has no
// runs or a run without results, is of another tool, reports a failed invocation or a notification of level error, or
// if a result has no rule, message, or place below Root.
func Read(data []byte, o Options) ([]finding.Finding, error) {
	var l log
	if err := strictjson.Decode(data, &l); err != nil {
		return nil, fmt.Errorf("read sarif: %w", err)
	}
	if l.Version != "2.1.0" {
		return nil, fmt.Errorf("read sarif: version %q, want 2.1.0", l.Version)
	}
	if len(l.Runs) == 0 {
		return nil, errors.New("read sarif: no runs")
	}
	found := []finding.Finding{}
	for i, r := range l.Runs {
		fs, err := r.findings(o)
		if err != nil {
			return nil, fmt.Errorf("read sarif: run %d: %w", i, err)
		}
		found = append(found, fs...)
	}
	return found, nil
}

func (r run) findings(o Options) ([]finding.Finding, error) {
	if name := r.Tool.Driver.Name; name != o.Tool {
		return nil, fmt.Errorf("tool is %q, want %q", name, o.Tool)
	}
	if err := r.complete(); err != nil {
		return nil, err
	}
	var found []finding.Finding
	for i, res := range r.Results {
		f, err := r.finding(res, o)
		if err != nil {
			return nil, fmt.Errorf("result %d: %w", i, err)
		}
		if f.Level != "none" {
			found = append(found, f)
		}
	}
	return found, nil
}

// complete holds a run to appendix I, "Detecting incomplete result sets".
func (r run) complete() error {
	for _, inv := range r.Invocations {
		if !*inv.ExecutionSuccessful {
			return errors.New("the tool says that its execution was not successful")
		}
		for _, n := range append(inv.ToolExecutionNotifications, inv.ToolConfigurationNotifications...) {
			if n.Level == "error" {
				return fmt.Errorf("the tool reports an error: %s", n.Message.Text)
			}
		}
	}
	return nil
}

func (r run) finding(res result, o Options) (finding.Finding, error) {
	id, rule, err := r.rule(res)
	if err != nil {
		return finding.Finding{}, err
	}
	level, err := levelOf(res, rule)
	if err != nil {
		return finding.Finding{}, err
	}
	if level == "none" {
		return finding.Finding{Level: level}, nil
	}
	text, err := r.text(res.Message, rule)
	if err != nil {
		return finding.Finding{}, err
	}
	if len(res.Locations) == 0 {
		return finding.Finding{}, errors.New("no location")
	}
	place := res.Locations[0].PhysicalLocation
	path, err := r.path(place.ArtifactLocation, o)
	if err != nil {
		return finding.Finding{}, err
	}
	f := finding.Finding{Rule: id, Level: level, Path: path, Message: text, Help: rule.HelpURI,
		StartLine: place.Region.StartLine, StartColumn: place.Region.StartColumn,
		EndLine: place.Region.EndLine, EndColumn: place.Region.EndColumn}
	if min(f.StartLine, f.StartColumn, f.EndLine, f.EndColumn) < 0 {
		return finding.Finding{}, errors.New("a line or column below zero")
	}
	if len(res.Fixes) > 0 {
		f.Fix = res.Fixes[0].Description.Text
	}
	return f, nil
}

// rule finds a result's rule id (§3.27.5 to §3.27.7) and, where the driver describes it, its descriptor.
func (r run) rule(res result) (string, descriptor, error) {
	rules := r.Tool.Driver.Rules
	id, index := res.RuleID, res.RuleIndex
	if id == "" {
		id = res.Rule.ID
	}
	if index == nil {
		index = res.Rule.Index
	}
	if index != nil && *index >= 0 {
		if *index >= len(rules) {
			return "", descriptor{}, fmt.Errorf("rule %d of %d", *index, len(rules))
		}
		d := rules[*index]
		if id == "" {
			id = d.ID
		}
		// "CA1000/1" is a rule below "CA1000" (§3.27.5).
		if id != d.ID && !strings.HasPrefix(id, d.ID+"/") {
			return "", descriptor{}, fmt.Errorf("rule %q has the index of %q", id, d.ID)
		}
		return id, d, named(id)
	}
	for _, d := range rules {
		if d.ID == id {
			return id, d, named(id)
		}
	}
	return id, descriptor{}, named(id)
}

func named(id string) error {
	if id == "" {
		return errors.New("no rule")
	}
	return nil
}

// levelOf resolves a result's level (§3.27.10): its own, else its rule's, else warning; none where the kind is not fail.
func levelOf(res result, d descriptor) (finding.Level, error) {
	l := finding.Level(res.Level)
	switch {
	case l != "":
	case res.Kind != "" && res.Kind != "fail":
		l = "none"
	case d.DefaultConfiguration.Level != "":
		l = finding.Level(d.DefaultConfiguration.Level)
	default:
		l = finding.Warning
	}
	if l != "none" && !l.Valid() {
		return "", fmt.Errorf("level %q", l)
	}
	return l, nil
}

// text resolves a result's message (§3.11.7) and puts its arguments in.
func (r run) text(m message, d descriptor) (string, error) {
	t := m.Text
	if t == "" && m.ID != "" {
		t = d.MessageStrings[m.ID].Text
		if t == "" {
			t = r.Tool.Driver.GlobalMessageStrings[m.ID].Text
		}
	}
	if t == "" {
		return "", errors.New("no message")
	}
	if len(m.Arguments) == 0 {
		return t, nil
	}
	pairs := []string{"{{", "{", "}}", "}"}
	for i, a := range m.Arguments {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), a)
	}
	return strings.NewReplacer(pairs...).Replace(t), nil
}
