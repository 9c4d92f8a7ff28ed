package ruff

import "github.com/scangate/scangate/pkg/finding"

// level is the severity that Bandit 1.9.4 gives the rule of the same number: Ruff calls each of them an error. Bandit
// grades a few by their arguments; those have their graver level here. A rule without a counterpart is a warning.
func level(code string) finding.Level {
	if l, ok := levels[code]; ok {
		return l
	}
	return finding.Warning
}

var levels = map[string]finding.Level{
	"S101": finding.Note, "S105": finding.Note, "S106": finding.Note, "S107": finding.Note,
	"S110": finding.Note, "S112": finding.Note, "S311": finding.Note,
	"S403": finding.Note, "S404": finding.Note, "S405": finding.Note, "S406": finding.Note, "S407": finding.Note,
	"S408": finding.Note, "S409": finding.Note, "S504": finding.Note, "S603": finding.Note, "S606": finding.Note,
	"S607": finding.Note,

	"S103": finding.Error, "S201": finding.Error, "S202": finding.Error, "S304": finding.Error, "S312": finding.Error,
	"S321": finding.Error, "S324": finding.Error, "S401": finding.Error, "S402": finding.Error, "S411": finding.Error,
	"S412": finding.Error, "S413": finding.Error, "S415": finding.Error, "S501": finding.Error, "S502": finding.Error,
	"S505": finding.Error, "S507": finding.Error, "S602": finding.Error, "S605": finding.Error, "S609": finding.Error,
	"S701": finding.Error,
}
