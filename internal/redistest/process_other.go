//go:build !linux

package redistest

import "syscall"

// dieWithParent changes nothing: other systems have no such signal, and a test binary that
// crashes there leaves its server behind.
func dieWithParent() *syscall.SysProcAttr {
	return nil
}
