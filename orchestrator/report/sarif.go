package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/scanners"
)

// The part of SARIF 2.1.0 that is written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri,omitempty"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string     `json:"id"`
		HelpURI string     `json:"helpUri,omitempty"`
		Help    *sarifText `json:"help,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level      string          `json:"level"`
		Message    sarifText       `json:"message"`
		Descriptor sarifDescriptor `json:"descriptor"`
	}
	sarifDescriptor struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID        string             `json:"ruleId"`
		RuleIndex     int                `json:"ruleIndex"`
		Level         string             `json:"level"`
		Message       sarifText          `json:"message"`
		Locations     []sarifLocation    `json:"locations"`
		Fingerprints  map[string]string  `json:"partialFingerprints,omitempty"`
		BaselineState string             `json:"baselineState,omitempty"`
		Suppressions  []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndLine     int `json:"endLine,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
	sarifSuppression struct {
		Kind   string `json:"kind"`
		Status string `json:"status"`
	}
)

// SARIF writes SARIF 2.1.0: a run for each scanner that ran, and, where the verdict is incomplete, one of scangate's
// own that says so: a reader of SARIF would take the absence of runs for the absence of findings.
func (r Report) SARIF(w io.Writer) error {
	digest, err := r.Digest()
	if err != nil {
		return err
	}
	doc := sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{}}
	for _, s := range r.Decision.Results {
		if s.Status != scanners.NotApplicable && s.Status != scanners.NotConfigured {
			doc.Runs = append(doc.Runs, r.sarifRun(s))
		}
	}
	if r.Decision.Verdict == gate.Incomplete {
		doc.Runs = append(doc.Runs, r.sarifGate())
	}
	for i := range doc.Runs {
		doc.Runs[i].Properties = map[string]any{"scangate/result": digest, "scangate/verdict": r.Decision.Verdict}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	if err := out.Encode(doc); err != nil {
		return fmt.Errorf("write sarif: %w", err)
	}
	return nil
}

func (r Report) sarifRun(s scanners.Result) sarifRun {
	name := line(s.Scanner, maxName)
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: name, Version: line(s.Version, maxName), InformationURI: webURI(r.Homes[s.Scanner]), Rules: sarifRules(s.Findings)}},
		Automation:  sarifAutomation{"scangate/" + name + "/"},
		Invocations: []sarifInvocation{{Successful: s.Status == scanners.Clean || s.Status == scanners.Found}},
		Results:     []sarifResult{},
	}
	for _, why := range s.Reasons {
		run.Invocations[0].notify(line(why.Code, maxName), line(why.Message, maxShort))
	}
	index := map[string]int{}
	for i, rule := range run.Tool.Driver.Rules {
		index[rule.ID] = i
	}
	for _, f := range s.Findings {
		run.Results = append(run.Results, r.sarifResult(f, index))
	}
	return run
}

// sarifGate holds what is wrong with the scan as a whole.
func (r Report) sarifGate() sarifRun {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "scangate", Version: scanners.Version, InformationURI: "https://github.com/scangate/scangate", Rules: []sarifRule{}}},
		Automation:  sarifAutomation{"scangate/gate/"},
		Invocations: []sarifInvocation{{}},
		Results:     []sarifResult{},
	}
	for _, reason := range r.Decision.Reasons {
		if reason.Code.Verdict() == gate.Incomplete {
			run.Invocations[0].notify(string(reason.Code), r.because(reason))
		}
	}
	return run
}

func (i *sarifInvocation) notify(code, message string) {
	i.Notifications = append(i.Notifications, sarifNotification{"error", sarifText{message}, sarifDescriptor{code}})
}

// sarifRules lists the rules that have findings. Help is the first finding's that has some.
func sarifRules(fs []finding.Finding) []sarifRule {
	rules := map[string]sarifRule{}
	for _, f := range fs {
		rule := rules[line(f.Rule, maxShort)]
		rule.ID = line(f.Rule, maxShort)
		if rule.HelpURI == "" {
			rule.HelpURI = webURI(f.Help)
		}
		if rule.Help == nil && f.Fix != "" {
			rule.Help = &sarifText{line(f.Fix, maxLong)}
		}
		rules[rule.ID] = rule
	}
	out := []sarifRule{}
	for _, rule := range rules {
		if rule.Help == nil && rule.HelpURI != "" {
			rule.Help = &sarifText{"See " + rule.HelpURI}
		}
		out = append(out, rule)
	}
	slices.SortFunc(out, func(a, b sarifRule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (r Report) sarifResult(f finding.Finding, index map[string]int) sarifResult {
	id := line(f.Rule, maxShort)
	out := sarifResult{
		RuleID: id, RuleIndex: index[id], Level: string(f.Level),
		Message:      sarifText{line(f.Message, maxLong)},
		Locations:    []sarifLocation{{sarifPhysical{Artifact: sarifArtifact{relativeURI(f.Path), "%SRCROOT%"}}}},
		Fingerprints: map[string]string{},
	}
	if !f.Level.Valid() {
		out.Level = string(finding.Error)
	}
	for k, v := range f.Fingerprints {
		out.Fingerprints[line(k, maxName)] = line(v, maxShort)
	}
	if f.StartLine > 0 {
		region := &sarifRegion{StartLine: f.StartLine, StartColumn: max(0, f.StartColumn)}
		if f.EndLine >= f.StartLine {
			region.EndLine, region.EndColumn = f.EndLine, max(0, f.EndColumn)
		}
		out.Locations[0].Physical.Region = region
	}
	if r.Inputs.Baseline != "" {
		out.BaselineState = map[bool]string{true: "unchanged", false: "new"}[f.State == finding.Known]
	}
	if f.State == finding.Suppressed {
		out.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted"}}
	}
	return out
}

// relativeURI writes the raw bytes of a path as a URI reference (RFC 3986 §4.2).
func relativeURI(path string) string { return (&url.URL{Path: path}).String() }

// webURI is s where it is an https URL, else "".
func webURI(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || len(s) > maxShort {
		return ""
	}
	return u.String()
}
