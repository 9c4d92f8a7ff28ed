// Package all is the catalogue: every scanner there is, in plain sight.
package all

import (
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/actionlint"
	"github.com/scangate/scangate/scanners/bandit"
	"github.com/scangate/scangate/scanners/gitleaks"
	"github.com/scangate/scangate/scanners/gosec"
	"github.com/scangate/scangate/scanners/hadolint"
	"github.com/scangate/scangate/scanners/ruff"
	"github.com/scangate/scangate/scanners/semgrep"
	"github.com/scangate/scangate/scanners/shellcheck"
	"github.com/scangate/scangate/scanners/zizmor"
)

// Catalogue is in the order of the names. Reports and plans keep it.
var Catalogue = []scanners.Scanner{
	actionlint.Scanner,
	bandit.Scanner,
	gitleaks.Scanner,
	gosec.Scanner,
	hadolint.Scanner,
	ruff.Scanner,
	semgrep.Scanner,
	shellcheck.Scanner,
	zizmor.Scanner,
}
