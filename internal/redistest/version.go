package redistest

import "testing"

// Version is what the server says it is, such as "Redis 7.0.15" or "Valkey 9.1.2".
func (s *Server) Version(tb testing.TB) string {
	tb.Helper()
	info, _ := s.Do(tb, "INFO", "server").(string)
	if version := infoField(info, "valkey_version"); version != "" {
		return "Valkey " + version
	}
	return "Redis " + infoField(info, "redis_version")
}
