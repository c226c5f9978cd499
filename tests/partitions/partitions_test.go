package partitions

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What the environment may ask for, instead of a few rounds that have every fault once.
const (
	durationVariable = "PARTITIONS_DURATION" // rounds with random seeds for so long
	logVariable      = "PARTITIONS_LOG"      // a file for the lines of the rounds
	dirVariable      = "PARTITIONS_DIR"      // where the files of rounds with violations are kept
	faultsVariable   = "PARTITIONS_FAULTS"   // names of the only faults that happen, with commas between them
	overlayVariable  = "PARTITIONS_OVERLAY"  // an overlay for the build of the processes
)

// atOnce is how many rounds run at the same time. They wait more than they compute.
const atOnce = 2

func TestPartitions(t *testing.T) { //nolint:paralleltest // it has its own measure of how much at once
	worker, err := BuildWorker(t.TempDir(), os.Getenv(overlayVariable))
	require.NoError(t, err)
	dir := os.Getenv(dirVariable)
	if dir != "" {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	c := &Campaign{Worker: worker, Dir: dir, Log: roundLog(t)}
	if names := os.Getenv(faultsVariable); names != "" {
		c.Faults = strings.Split(names, ",")
	}
	seeds := make(chan uint64)
	var rounds sync.WaitGroup
	for range atOnce {
		rounds.Go(func() { runSeeds(t, c, seeds) })
	}
	sendSeeds(t, seeds)
	rounds.Wait()
	_, _ = fmt.Fprint(c.Log, c.Summary())
}

func runSeeds(t *testing.T, c *Campaign, seeds <-chan uint64) {
	t.Helper()
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { c.Round(t, seed) })
	}
}

// sendSeeds chooses the rounds.
func sendSeeds(t *testing.T, seeds chan<- uint64) {
	t.Helper()
	defer close(seeds)
	first, given := os.LookupEnv(seedVariable)
	duration, long := os.LookupEnv(durationVariable)
	seed := rand.Uint64() >> 16 // easier to type, and many enough
	if given {
		var err error
		seed, err = strconv.ParseUint(first, 10, 64)
		require.NoError(t, err)
	}
	switch {
	case long:
		length, err := time.ParseDuration(duration)
		require.NoError(t, err)
		t.Logf("%s=%d", seedVariable, seed)
		for end := time.Now().Add(length); time.Now().Before(end); seed++ {
			seeds <- seed
		}
	case given:
		seeds <- seed
	default:
		for _, seed := range Covering() {
			seeds <- seed
		}
	}
}

// roundLog is where the lines of the rounds go: to the test's output, and to a file if the
// environment names one.
func roundLog(t *testing.T) io.Writer {
	t.Helper()
	path := os.Getenv(logVariable)
	if path == "" {
		return t.Output()
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return io.MultiWriter(t.Output(), file)
}

func TestCoveringSeedsHaveEveryFault(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, seed := range Covering() {
		for _, name := range Draw(seed).Faults() {
			have[name] = true
		}
	}
	for _, c := range catalog() {
		require.True(t, have[c.name], c.name)
	}
}
