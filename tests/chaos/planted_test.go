package chaos

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlantedBugsFitTheLibrary(t *testing.T) {
	t.Parallel()
	bugs := plantedBugs()
	for _, b := range bugs {
		_, err := b.overlay(t.TempDir())
		require.NoError(t, err, b.name)
		require.NotEmpty(t, b.draw(1).Groups, b.name)
		for _, fault := range b.faults {
			require.True(t, slices.ContainsFunc(catalog(), func(c card) bool { return c.name == fault }), "%s: %s", b.name, fault)
		}
	}
	root, err := filepath.Abs(moduleRoot)
	require.NoError(t, err)
	for _, b := range bugs {
		overlay, err := b.overlay(t.TempDir())
		require.NoError(t, err)
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, ".", "./internal/xstream")
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s: %s", b.name, out)
	}
}
