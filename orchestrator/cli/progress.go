package cli

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/scangate/scangate/orchestrator"
	"github.com/scangate/scangate/orchestrator/report"
)

// progress shows a scan while it runs. On a terminal it keeps one status line; elsewhere it prints only what takes long
// (images), so that logs and agents stay quiet.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	tty     bool
	width   int
	began   time.Time
	running map[string]bool
	done    int
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, began: time.Now(), running: map[string]bool{}, width: 100}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == "" {
		p.tty = true
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			p.width = n
		}
	}
	return p
}

// line prints a whole line, above the status line where there is one.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, "scangate: "+format+"\n", args...)
}

func (p *progress) event(e orchestrator.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Stage {
	case "image":
		p.clear()
		fmt.Fprintf(p.w, "scangate: image %s: %s\n", e.Scanner, report.Line(e.Detail))
		return
	case "clean-up":
		p.clear()
		fmt.Fprintf(p.w, "scangate: clean up: %s\n", report.Line(e.Detail))
		return
	}
	if e.Done {
		delete(p.running, e.Scanner)
		p.done++
	} else {
		p.running[e.Scanner] = true
	}
	if !p.tty {
		return
	}
	names := make([]string, 0, len(p.running))
	for n := range p.running {
		names = append(names, n)
	}
	sort.Strings(names)
	status := fmt.Sprintf("%4.1f s  %d of %d scanners done  %s", time.Since(p.began).Seconds(), p.done, e.Total, strings.Join(names, " "))
	fmt.Fprintf(p.w, "\r\x1b[K%.*s", p.width-1, status)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) clear() {
	if p.tty {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
