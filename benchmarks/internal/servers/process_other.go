//go:build !linux

package servers

import "syscall"

// dieWithParent changes nothing: other systems have no such signal, and a crash leaves the
// server behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
