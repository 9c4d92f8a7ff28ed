package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/scangate/scangate/orchestrator/report"
)

// The values of --format and --color.
var (
	formats = []string{"human", "agent", "json", "sarif"}
	colors  = []string{"auto", "always", "never"}
)

// writer prints a report to one place.
type writer struct {
	write func(io.Writer, report.Report) error
	file  string // "" is stdout
}

func (e env) outputs(format, color string, outs []string) ([]writer, error) {
	if !slices.Contains(colors, color) {
		return nil, fmt.Errorf("--color %s: want auto, always or never", color)
	}
	tty := isTerminal(e.stdout)
	if format == "" {
		format = "agent"
		if tty {
			format = "human"
		}
	}
	useColor := color == "always" || color == "auto" && tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	pick := func(name string, color bool, width int) (func(io.Writer, report.Report) error, error) {
		switch name {
		case "human":
			return func(w io.Writer, r report.Report) error {
				return r.Human(w, report.Options{Color: color, Width: width})
			}, nil
		case "agent":
			return func(w io.Writer, r report.Report) error { return r.Agent(w) }, nil
		case "json":
			return func(w io.Writer, r report.Report) error { return r.JSON(w) }, nil
		case "sarif":
			return func(w io.Writer, r report.Report) error { return r.SARIF(w) }, nil
		}
		return nil, fmt.Errorf("format %q: want human, agent, json or sarif", name)
	}
	write, err := pick(format, useColor, width(e.stdout))
	if err != nil {
		return nil, err
	}
	writers := []writer{{write: write}}
	for _, o := range outs {
		name, file, ok := strings.Cut(o, "=")
		if !ok || file == "" {
			return nil, fmt.Errorf("--out %s: want FORMAT=FILE", o)
		}
		write, err := pick(name, false, 0)
		if err != nil {
			return nil, err
		}
		writers = append(writers, writer{write, file})
	}
	return writers, nil
}

// publish writes the report everywhere, however many of the places fail, and ends with the contract line. A report that
// can't be written is no pass.
func (e env) publish(r report.Report, writers []writer) error {
	status := r.Decision.Verdict.Exit()
	var faults []error
	for _, w := range writers {
		var err error
		if w.file == "" {
			err = w.write(e.stdout, r)
		} else {
			err = writeFile(w.file, func(out io.Writer) error { return w.write(out, r) })
		}
		// Who has read the head of a report that is no pass has read enough: the verdict stays.
		if err != nil && (w.file != "" || status == exitOK || !errors.Is(err, syscall.EPIPE)) {
			faults = append(faults, fmt.Errorf("write report: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	digest, err := r.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "scangate: verdict=%s exit=%d result=%s\n", r.Decision.Verdict, status, digest)
	if status != exitOK {
		return exit(status)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 100
}
