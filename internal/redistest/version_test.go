package redistest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	require.Regexp(t, `^(Redis|Valkey) \d+\.\d+\.\d+$`, Start(t).Version(t))
}

func TestBinaryIsTheServer(t *testing.T) {
	t.Parallel()
	path, err := findBinary("")
	require.NoError(t, err)
	link := filepath.Join(t.TempDir(), "redis-server")
	require.NoError(t, os.Symlink(path, link))
	require.Equal(t, link, Start(t, Binary(link)).binary)
	_, err = Run(Binary("/nowhere/redis-server"))
	require.ErrorContains(t, err, "/nowhere/redis-server")
}
