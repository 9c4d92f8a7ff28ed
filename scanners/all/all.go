// Package all is the catalogue: every scanner there is, in plain sight.
package all

import (
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/actionlint"
	"github.com/scangate/scangate/scanners/gosec"
	"github.com/scangate/scangate/scanners/hadolint"
	"github.com/scangate/scangate/scanners/shellcheck"
	"github.com/scangate/scangate/scanners/zizmor"
)

// Catalogue is in the order of the names. Reports and plans keep it.
var Catalogue = []scanners.Scanner{
	actionlint.Scanner,
	gosec.Scanner,
	hadolint.Scanner,
	shellcheck.Scanner,
	zizmor.Scanner,
}
