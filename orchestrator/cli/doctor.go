package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/orchestrator/engine/docker"
	"github.com/scangate/scangate/orchestrator/engine/embedded"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

func (e env) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say which engines work here, how strong they are, and what to do where none does",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			works := 0
			d, noDirs := findDirs()
			if noDirs != nil {
				fmt.Fprintf(e.stdout, "cache     no: %v\n          to do: set XDG_CACHE_HOME and XDG_STATE_HOME to folders that you can write\n", noDirs)
			} else {
				fmt.Fprintf(e.stdout, "cache     %s\nstate     %s\n", d.cache, d.state)
			}

			init, err := sandbox.Init(runtime.GOARCH)
			if err != nil {
				fmt.Fprintf(e.stdout, "init      missing: %v\n", err)
			}
			r, err := docker.Check(c.Context(), "")
			switch {
			case errors.As(err, new(*docker.AbsentError)):
				fmt.Fprintf(e.stdout, "docker    no: %v\n          to do: start a Docker-compatible engine, or set DOCKER_HOST=unix:///its/socket\n", err)
			case err != nil:
				fmt.Fprintf(e.stdout, "docker    no: %v\n", err)
			default:
				works++
				fmt.Fprintf(e.stdout, "docker    works: %s %s at %s, API %s, cgroup %s, limits by %s\n", r.Product, r.Version, r.Host, r.API, r.Cgroup, holder(r.Limits))
				for _, w := range r.Warnings {
					fmt.Fprintf(e.stdout, "          warning: %s\n", w)
				}
			}

			var k embedded.Capability
			err = errNoFolder
			if noDirs == nil {
				k, err = embedded.Check(c.Context(), embedded.Options{Root: filepath.Join(d.state, "embedded"), Init: init})
			}
			if err != nil {
				fmt.Fprintf(e.stdout, "embedded  no: %v\n          to do: %s\n", err, embeddedWayOut)
			} else {
				works++
				who := "as root"
				if k.Rootless {
					who = "as an ordinary user, by a user namespace"
				}
				fmt.Fprintf(e.stdout, "embedded  works: %s, limits by %s\n", who, holder(k.Cgroups))
				if !k.Cgroups {
					fmt.Fprintf(e.stdout, "          no cgroup: %s\n", k.NoCgroup)
				}
			}
			if k.Kernel != "" {
				fmt.Fprintf(e.stdout, "kernel    %s %s\n", k.Kernel, strings.Join(k.Facts, " "))
			}
			if works == 0 {
				return errors.New("no engine works on this machine")
			}
			return noDirs
		},
	}
}

var errNoFolder = errors.New("it has no folder for its state")

// A container's default sandbox (Docker, Kubernetes) lets nobody make the namespaces of another one.
const embeddedWayOut = "run outside a container, as root or as a user who may make user namespaces, with XDG_STATE_HOME where programs may be run; in a container, mount a Docker-compatible engine's socket"

func holder(cgroups bool) string {
	if cgroups {
		return "cgroup"
	}
	return "rlimits of each process"
}
