//go:build !linux

package partitions

import "syscall"

// dieWithParent changes nothing: other systems have no such signal.
func dieWithParent() *syscall.SysProcAttr { return nil }
