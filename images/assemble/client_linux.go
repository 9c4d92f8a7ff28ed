package assemble

import (
	"os/exec"
	"syscall"
)

// endWithUs has the kernel end the client when the thread that starts it ends, so also when we are killed.
func endWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
