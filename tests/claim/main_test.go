// Package claim_test shows why reads do not CLAIM: what XREADGROUP with CLAIM, which Redis has
// from 8.4 on, does to a group of this library. DESIGN.md says what follows. On servers without it,
// the tests only check that they refuse it.
package claim_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
