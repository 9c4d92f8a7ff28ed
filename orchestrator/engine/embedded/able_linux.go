//go:build linux && cgo

package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// able is an error where the caller may not make a container's namespaces, or not run the init from where it is. It
// starts the init in some of them, which ends at once without a job: a few milliseconds, for not getting all the images
// for nothing.
func able(init string, rootless bool) error {
	c := exec.Command(init)
	c.Env = []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	if rootless {
		c.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if err := c.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return fmt.Errorf("start the init in namespaces of its own: %w", err)
	}
	return nil
}
