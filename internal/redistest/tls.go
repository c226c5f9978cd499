package redistest

import (
	"crypto/tls"
	"fmt"
)

// TLS makes a server, or all nodes and sentinels, speak TLS and nothing else, also to each
// other. The certificates are made by the test process, and Client knows them. A server that was
// built without TLS fails to start, and says so.
func TLS() Option {
	return func(s *settings) {
		s.tls = true
		s.set("port", "0")
		s.set("tls-cert-file", certificateFile)
		s.set("tls-key-file", keyFile)
		s.set("tls-ca-cert-file", authorityFile)
		s.set("tls-replication", "yes")
		s.set("tls-cluster", "yes")
		s.set("tls-auth-clients", "no")
	}
}

// MutualTLS is [TLS] that asks clients for a certificate as well.
func MutualTLS() Option {
	return func(s *settings) {
		TLS()(s)
		s.set("tls-auth-clients", "yes")
	}
}

// TLSConfig is what a client needs for a server with [TLS] or [MutualTLS].
func TLSConfig() (*tls.Config, error) {
	c, err := processCertificates()
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	return &tls.Config{
		RootCAs:      c.authority,
		Certificates: []tls.Certificate{c.pair},
		ServerName:   "127.0.0.1",
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// tlsConfig is nil for plain connections.
func (s *Server) tlsConfig() *tls.Config {
	if !s.settings.tls {
		return nil
	}
	config, err := TLSConfig()
	if err != nil {
		return &tls.Config{MinVersion: tls.VersionTLS12} // the server did not start without certificates
	}
	return config
}

func (s *settings) portKey() string {
	if s.tls {
		return "tls-port"
	}
	return "port"
}
