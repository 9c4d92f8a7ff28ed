// Package inline finds the comments by which a file turns a scanner off, for tools that have no flag to disregard them.
package inline

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/scangate/scangate/pkg/finding"
)

// Rule is the rule of what Find returns.
const Rule = "scangate-inline-disable"

// Find returns an error-level finding for each line of content that pattern matches, in order.
func Find(path string, content []byte, pattern *regexp.Regexp) []finding.Finding {
	var all []finding.Finding
	line := 0
	for text := range bytes.Lines(content) {
		line++
		at := pattern.FindIndex(bytes.TrimRight(text, "\r\n"))
		if at == nil {
			continue
		}
		all = append(all, finding.Finding{
			Rule: Rule, Level: finding.Error, Path: path,
			StartLine: line, StartColumn: at[0] + 1, EndLine: line, EndColumn: at[1] + 1,
			Message: fmt.Sprintf("%q switches checks off, and the scanner has no flag to disregard it", text[at[0]:at[1]]),
			Fix:     "remove the comment; accept a finding with a suppression in scangate.yaml, which has a reason and an expiry",
		})
	}
	return all
}
