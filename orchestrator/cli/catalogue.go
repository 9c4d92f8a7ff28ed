package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/orchestrator"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/all"
)

func (e env) scannersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scanners",
		Short: "List the catalogue: what each scanner is, looks at and is licensed under",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			lock, err := images.Builtin()
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tVERSION\tSCOPE\tEVIDENCE\tLICENCE\tIMAGE\tLOOKS FOR")
			for _, s := range all.Catalogue {
				image := "not locked"
				if pin, err := lock.Pin(s.Name, platform()); err == nil {
					image = fmt.Sprintf("%.19s %d MB", pin.Manifest, pin.Size>>20)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Version, s.Scope, s.Enough, s.Licence, image, s.About)
			}
			return t.Flush()
		},
	}
}

func platform() string { return "linux/" + runtime.GOARCH }

func (e env) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the adapters' version, which is part of every result, and how this binary was built",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			fmt.Fprintf(e.stdout, "scangate %s\n", scanners.Version)
			if b, ok := debug.ReadBuildInfo(); ok {
				fmt.Fprintf(e.stdout, "%s %s/%s\n", b.GoVersion, runtime.GOOS, runtime.GOARCH)
			}
			return nil
		},
	}
}

// planned is how "scangate plan" prints a scanner's part.
type planned struct {
	Scanner string          `json:"scanner"`
	Status  scanners.Status `json:"status,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Image   string          `json:"image,omitempty"`
	Job     string          `json:"job,omitempty"`
	InScope int             `json:"filesInScope"`
	View    string          `json:"view,omitempty"`
	Jobs    []plannedJob    `json:"jobs,omitempty"`
}

type plannedJob struct {
	Dir     string   `json:"dir,omitempty"`
	Command []string `json:"command"`
	Files   int      `json:"files"`
}

func (e env) planCommand() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Show, as JSON, the jobs that run would run",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			req, err := f.request(dirArg(args))
			if err != nil {
				return err
			}
			d, err := dirsOutside(req.Dir)
			if err != nil {
				return err
			}
			snap, err := workspace.Take(c.Context(), req.Dir, req.Snapshot(d.runs()))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, snap.Close()) }()
			p, err := orchestrator.Plan(req, snap)
			if err != nil {
				return err
			}
			out := []planned{}
			for _, s := range p.Scans {
				row := planned{Scanner: s.Scanner.Name, Status: s.Status, Reason: s.Reason, Image: s.Image.Manifest, Job: s.Digest,
					InScope: s.InScope, View: s.View.Digest}
				for _, j := range s.Jobs {
					row.Jobs = append(row.Jobs, plannedJob{Dir: j.Dir, Command: j.Command, Files: len(j.Targets)})
				}
				out = append(out, row)
			}
			enc := json.NewEncoder(e.stdout)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return enc.Encode(out)
		},
	}
	f.add(c)
	return c
}
