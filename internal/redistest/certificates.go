package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The files of a server with TLS, in its directory.
const (
	authorityFile   = "ca.crt"
	certificateFile = "server.crt"
	keyFile         = "server.key"
)

// certificates are an authority and one key pair that it has signed. Nodes use that as servers
// and as clients of each other, and tests as clients.
type certificates struct {
	authority                         *x509.CertPool
	pair                              tls.Certificate
	authorityPEM, certificatePEM, key []byte
}

// processCertificates are the same for all servers of a process.
//
//nolint:gochecknoglobals // made once, and never changed
var processCertificates = sync.OnceValues(makeCertificates)

func makeCertificates() (*certificates, error) {
	authority := template(1, "redistest authority")
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign
	server := template(2, "redistest server")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	keyDER, errKey := x509.MarshalPKCS8PrivateKey(serverKey)
	authorityDER, errAuthority := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	serverDER, errServer := x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey)
	if err := errors.Join(errKey, errAuthority, errServer); err != nil {
		return nil, err
	}
	c := &certificates{
		authority:      x509.NewCertPool(),
		authorityPEM:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}),
		certificatePEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER}),
		key:            pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
	c.authority.AppendCertsFromPEM(c.authorityPEM)
	c.pair, err = tls.X509KeyPair(c.certificatePEM, c.key)
	return c, err
}

// template is valid long enough for any test, also where the clock is a little off.
func template(serial int64, name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
	}
}

func writeCertificates(dir string) error {
	c, err := processCertificates()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, authorityFile), c.authorityPEM, 0o600),
		os.WriteFile(filepath.Join(dir, certificateFile), c.certificatePEM, 0o600),
		os.WriteFile(filepath.Join(dir, keyFile), c.key, 0o600),
	)
}
