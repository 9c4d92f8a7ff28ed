//go:build linux && cgo

package embedded

import (
	"fmt"
	"os"
	"runtime"

	_ "github.com/opencontainers/cgroups/devices" // libcontainer needs it to limit devices
	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // enters the namespaces before Go's runtime starts
	"golang.org/x/sys/unix"
)

// libcontainer starts this program again, as "init" with these variables, to become the container's first process. A
// person's own "scangate init" has no such variable.
func init() {
	// libcontainer v1.5.2 lets a goroutine enter the container's mount namespace and end there, counting on Go to end its
	// thread too. Go cannot end the main thread: /proc/self would show the container's mounts for good. A main goroutine
	// that keeps that thread to itself keeps the other away.
	runtime.LockOSThread()
	if len(os.Args) < 2 || os.Args[1] != "init" || os.Getenv("_LIBCONTAINER_INITPIPE") == "" {
		return
	}
	// libcontainer v1.5.2 sets its ParentDeathSignal on a process that forks twice before it gets here, which loses it.
	// Without it, a container whose parent is killed between its last word and the exec waits for ever.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "scangate: set parent death signal:", err)
		os.Exit(1)
	}
	libcontainer.Init() // does not return
	os.Exit(1)
}
