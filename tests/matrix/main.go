// Command matrix runs Watermill's universal suite on each server and deployment, one after the
// other, and writes what came of it into a table. `make matrix` starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// suite is what runs: the profiles, with those tests that the suite does not have or does not
// run by itself.
const suite = "^(TestPubSub|TestContinueAfterSubscribeCloseWithoutDuplicates|TestReconnect)$"

// deployments are what tests/universal can run on.
var deployments = []deployment{ //nolint:gochecknoglobals // a constant
	{"standalone", "standalone"},
	{"cluster", "cluster"},
	{"sentinel", "Sentinel"},
	{"tls", "TLS"},
	{"acl", "ACL"},
	{"resp2", "RESP2"},
	{"cluster-resp2", "RESP2, cluster"},
}

// deployment is the value of a variable, and the head of a column.
type deployment struct{ name, title string }

// server is one that scripts/ensure-servers.sh has found, or the reason why not.
type server struct{ name, program, reason string }

func main() {
	readme := flag.String("write", "", "the file with the markers for the table")
	only := flag.String("run", "", "a regular expression for servers and deployments, such as redis/tls; empty = all")
	results := flag.String("results", "", "a folder for results, and the output of what failed; what is there is not run again; empty = a new one")
	flag.Parse()
	//nolint:forbidigo // the root of the program
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *readme, *only, *results); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, readme, only, results string) error {
	page, err := openReadme(readme)
	if err != nil {
		return err
	}
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	folder, err := openFolder(results)
	if err != nil {
		return err
	}
	servers, err := findServers(ctx)
	if err != nil {
		return err
	}
	t := make(table, len(servers))
	for i, s := range servers {
		t[i] = row{title: s.title(ctx)}
	}
	for _, d := range deployments { // so that there is something of each server early
		for i, s := range servers {
			r := folder.result(ctx, s, d, chosen)
			fmt.Fprintf(os.Stderr, "%s, %s: %s\n", t[i].title, d.title, r)
			t[i].results = append(t[i].results, r)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := page.write(t.String()); err != nil {
		return err
	}
	return t.verdict(folder)
}

// findServers asks the script.
func findServers(ctx context.Context) ([]server, error) {
	command := exec.CommandContext(ctx, "scripts/ensure-servers.sh")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("scripts/ensure-servers.sh: %w", err)
	}
	var servers []server
	for line := range strings.Lines(string(out)) {
		fields := append(strings.Split(strings.TrimSpace(line), "\t"), "", "")
		servers = append(servers, server{name: fields[0], program: fields[1], reason: fields[2]})
	}
	return servers, nil
}

// title is the name and the version of a server that is there.
func (s server) title(ctx context.Context) string {
	if s.reason != "" {
		return s.name
	}
	out, err := exec.CommandContext(ctx, s.program, "--version").Output()
	words := strings.Fields(string(out)) // Redis server v=7.0.15 ...
	if err != nil || len(words) < 3 {
		return s.name
	}
	return words[0] + " " + strings.TrimPrefix(words[2], "v=")
}
