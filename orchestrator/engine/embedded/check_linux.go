//go:build linux && cgo

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// settings of the kernel that bear on whether a user may make a user namespace; not every kernel has each of them.
var settings = []struct{ name, bad, advice string }{
	{"user.max_user_namespaces", "0", "set it to 10000 or so"},
	{"kernel.unprivileged_userns_clone", "0", "set it to 1"},                             // Debian's kernels
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "set it to 0, or run as root"}, // Ubuntu 23.10 and later
}

// Check runs the init's probe in a container without an image and says what the engine can do here. An error says why it
// cannot do its work, and what would help. Options.Rootfs is not used.
func Check(ctx context.Context, o Options) (Capability, error) {
	var c Capability
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return c, fmt.Errorf("check embedded engine: %w", err)
	}
	c.Kernel = unix.ByteSliceToString(uts.Release[:])
	var advice []string
	for _, s := range settings {
		b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(s.name, ".", "/"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return c, fmt.Errorf("check embedded engine: %w", err)
		}
		value := strings.TrimSpace(string(b))
		c.Facts = append(c.Facts, s.name+"="+value)
		if value == s.bad {
			advice = append(advice, fmt.Sprintf("sysctl %s is %s: %s", s.name, value, s.advice))
		}
	}
	c.Rootless = os.Geteuid() != 0
	if err := c.try(ctx, o); err != nil {
		if c.Rootless && len(advice) > 0 {
			err = fmt.Errorf("%w (%s)", err, strings.Join(advice, "; "))
		}
		return c, fmt.Errorf("check embedded engine: %w", err)
	}
	return c, nil
}

func (c *Capability) try(ctx context.Context, o Options) (err error) {
	if err := os.MkdirAll(o.Root, 0o700); err != nil {
		return err
	}
	empty, err := os.MkdirTemp(o.Root, "check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(empty)) }()
	for _, d := range []string{"proc", "dev", "sys", "etc", "tmp", "workspace", sandbox.InitDir} {
		if err := os.MkdirAll(filepath.Join(empty, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(empty, 0o755); err != nil {
		return err
	}
	o.Rootfs = func(context.Context, engine.Image) (string, error) { return empty, nil }
	e, err := open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	c.Cgroups, c.NoCgroup = e.cgroups, e.noCgroup
	out, err := e.Run(ctx, engine.Job{
		Name: "probe", Command: []string{sandbox.InitPath, "probe"}, Dir: "/",
		Limits: sandbox.Limits{CPU: 1, Memory: 256 << 20, Tmp: 1 << 20, Pids: 32, Timeout: 30 * time.Second, Stdout: 1 << 20, Stderr: 1 << 16},
	})
	if err != nil {
		return err
	}
	if out.Fault != "" || out.Exit != 0 {
		return fmt.Errorf("the probe ended with fault %q, status %d: %s %s", out.Fault, out.Exit, out.Detail, out.Stderr)
	}
	if d := sandbox.DiffGolden(string(out.Stdout)); d != "" {
		return fmt.Errorf("the sandbox is not as it should be: %s", d)
	}
	return nil
}
