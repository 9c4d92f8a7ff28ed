//go:build linux && cgo

package embedded

import (
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
	// A container whose parent is killed between its last word and the exec would wait for ever. libcontainer v1.5.2 sets
	// its ParentDeathSignal on a process that forks twice before it gets here, which loses it; and the change of user
	// clears it for a moment. The lifeline, which is stdin, has no such gap.
	go endWithLifeline()
	libcontainer.Init() // does not return
	os.Exit(1)
}

// endWithLifeline ends the program when nobody holds the other end of stdin any more. It reads nothing: what comes is for
// the init, whose exec ends this goroutine.
func endWithLifeline() {
	for {
		// Without events asked for, only the end of the pipe, or an error, is told.
		if _, err := unix.Poll([]unix.PollFd{{Fd: 0}}, -1); err != unix.EINTR {
			os.Exit(1)
		}
	}
}
