package servers

import (
	"context"
	"strings"

	"github.com/redis/rueidis"
)

// RefusesClaim says why reads of groups can't CLAIM here, or "" where they can: Redis has that
// from 8.4 on.
func RefusesClaim(ctx context.Context, s *Servers) (string, error) {
	r := s.Redis
	probe := r.client.B().Xreadgroup().Group("group", "consumer").Claim("1000").Streams().Key("no such stream").Id(">").Build()
	err := r.client.Do(ctx, probe).Error()
	if refusal, ok := rueidis.IsRedisErr(err); ok {
		if strings.HasPrefix(refusal.Error(), "NOGROUP") {
			return "", nil
		}
		return "the server refuses CLAIM: " + refusal.Error(), nil
	}
	return "", err
}

// Trim takes all entries away from a stream. What is pending stays so.
func (r *Redis) Trim(ctx context.Context, stream string) error {
	return r.client.Do(ctx, r.client.B().Xtrim().Key(stream).Maxlen().Threshold("0").Build()).Error()
}

// Client is that of the server's owner. It is none of the contestants'.
func (r *Redis) Client() rueidis.Client { return r.client }
