//go:build !linux

package chaos

import "syscall"

// dieWithParent changes nothing: other systems have no such signal.
func dieWithParent() *syscall.SysProcAttr { return nil }
