// Package redistest starts real, private Redis servers for tests, and breaks them on request.
//
// A test that wants a server of its own calls [Start]. A test package that shares one server
// starts it in TestMain with [Run]:
//
//	func TestMain(m *testing.M) {
//		server, err := redistest.Run()
//		...
//		code := m.Run()
//		server.Stop()
//		os.Exit(code)
//	}
//
// A running server owns one goroutine (see [Run]). A check with goleak therefore belongs after
// Stop, or starts from goleak.IgnoreCurrent taken after Run.
//
// The server is redis-server from the PATH, or the program that the environment variable
// REDISSTREAM_TEST_SERVER names, such as valkey-server. A wrapper script must exec the server,
// because signals go to the process that the script was.
//
// Without a server tests fail: a skipped test of a broker adapter shows nothing.
package redistest
