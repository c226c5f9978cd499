package main

import (
	"os"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
)

// connect returns a client of the server that REDIS_URL names, such as
// redis://localhost:6379, or else of a small one inside this process.
func connect() (client rueidis.Client, server string, disconnect func(), err error) {
	if url := os.Getenv("REDIS_URL"); url != "" {
		option, err := rueidis.ParseURL(url)
		if err != nil {
			return nil, "", nil, err
		}
		client, err := rueidis.NewClient(option)
		if err != nil {
			return nil, "", nil, err
		}
		return client, "the server of REDIS_URL", client.Close, nil
	}
	embedded, err := miniredis.Run()
	if err != nil {
		return nil, "", nil, err
	}
	client, err = rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{embedded.Addr()},
		DisableCache:      true, // it has no client-side caching
		ForceSingleClient: true, // it would pass for a cluster
	})
	if err != nil {
		embedded.Close()
		return nil, "", nil, err
	}
	return client, "an embedded server (set REDIS_URL for a real one)", func() {
		client.Close()
		embedded.Close()
	}, nil
}
