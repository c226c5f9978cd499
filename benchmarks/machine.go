package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// conditions says under which conditions the table came about.
func conditions(ctx context.Context, started *servers.Servers, o options) (string, error) {
	redis, err := started.Redis.Version(ctx)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s, %s, %d cores; %s without persistence, %s in memory; payloads of %d bytes; %d rounds",
		runtime.Version(), cpuModel(), runtime.NumCPU(), redis, started.NATS.Version(), traffic.PayloadSize, o.rounds)
	if o.scale != 1 {
		text += fmt.Sprintf("; numbers of messages times %g", o.scale)
	}
	return text + ". " + versions() + ".", nil
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // only Linux has it
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// versions are those of the modules that are compared.
func versions() string {
	var found []string
	build, _ := debug.ReadBuildInfo()
	if build == nil {
		return "Versions unknown"
	}
	for _, module := range build.Deps {
		switch module.Path {
		case "github.com/ThreeDotsLabs/watermill",
			"github.com/ThreeDotsLabs/watermill-nats/v2",
			"github.com/ThreeDotsLabs/watermill-redisstream",
			"github.com/nats-io/nats.go",
			"github.com/redis/go-redis/v9",
			"github.com/redis/rueidis":
			name := strings.TrimSuffix(strings.TrimSuffix(module.Path, "/v2"), "/v9")
			found = append(found, name[strings.LastIndex(name, "/")+1:]+" "+module.Version)
		}
	}
	return strings.Join(found, ", ")
}
