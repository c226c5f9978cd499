package partitions

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// The append-only file has each write in the order in which the server did them, and what a
// script wrote, command by command. So it shows whose the partition was when an ack was done.

var errFile = errors.New("append-only file is not as expected")

// noteWrites writes down what the server did.
func (r *round) noteWrites() error {
	files, err := filepath.Glob(filepath.Join(r.home, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b string) int { return sequence(a) - sequence(b) })
	names, err := r.names()
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := readCommands(path, func(args []string) { r.noteWrite(names, args) }); err != nil {
			return err
		}
	}
	return nil
}

// sequence is the number in the name of a file, such as appendonly.aof.2.incr.aof.
func sequence(path string) int {
	parts := strings.Split(filepath.Base(path), ".")
	n, _ := strconv.Atoi(parts[max(len(parts)-3, 0)])
	return n
}

// names are what the keys of the streams and leases belong to.
func (r *round) names() (map[string]int, error) {
	names := map[string]int{}
	for i := range task.Partitions {
		names[r.stream(i)] = i
		prefix, err := xstream.Prefix(r.stream(i))
		if err != nil {
			return nil, err
		}
		names[xstream.PartitionLease(prefix, task.Group)] = i
	}
	return names, nil
}

func (r *round) noteWrite(names map[string]int, args []string) {
	if len(args) < 2 {
		return
	}
	partition, ok := names[args[1]]
	if !ok {
		return
	}
	e := history.Event{Partition: partition}
	switch strings.ToUpper(args[0]) {
	case "XACK":
		e.Kind, e.Entries = task.Acked, args[3:]
	case "HSET":
		fields := map[string]string{}
		for i := 2; i+1 < len(args); i += 2 {
			fields[args[i]] = args[i+1]
		}
		if fields["epoch"] == "" {
			return
		}
		e.Kind, e.Process = task.Granted, task.ProcessOf(fields["owner"])
		e.Epoch, _ = strconv.ParseInt(fields["epoch"], 10, 64)
	default:
		return
	}
	r.note(e)
}

// readCommands has f see each command of a file, in their order. The last one may be cut short by
// a crash; then the server has dropped it.
func readCommands(path string, f func(args []string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	in := bufio.NewReader(file)
	for {
		args, err := readCommand(in)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		case len(args) > 0:
			f(args)
		}
	}
}

func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readLength(in, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readLength(in, '$')
		if err != nil {
			return nil, err
		}
		data := make([]byte, size+2)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, err
		}
		args[i] = string(data[:size])
	}
	return args, nil
}

// readLength reads a line such as *3. A line that begins with # is an annotation.
func readLength(in *bufio.Reader, mark byte) (int, error) {
	line, err := in.ReadString('\n')
	switch {
	case err != nil:
		return 0, err
	case line[0] == '#':
		return 0, nil
	case line[0] != mark:
		return 0, fmt.Errorf("%w: %q", errFile, line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
