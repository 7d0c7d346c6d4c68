package rtsp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Fingerprint returns what a configuration has for a certificate (DER): "sha256:" and its hash.
func Fingerprint(certificate []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(certificate))
}

// encrypt begins TLS. gortsplib's own way leaves the handshake without a deadline.
func (s *session) encrypt(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	config := s.source.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	if want := s.source.Fingerprint; want != "" {
		config.InsecureSkipVerify = true // the one certificate is as good as any authority
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if got := Fingerprint(state.PeerCertificates[0].Raw); !strings.EqualFold(got, want) {
				return fmt.Errorf("the camera shows another certificate than the configuration names, %s; if the camera got a new one, write tls: { fingerprint: %q }, and if not, somebody else answers in its place", got, got)
			}
			return nil
		}
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // it is of no use, and err says why
		return nil, distrusted(err)
	}
	return secure, nil
}

// distrusted says what to do about a certificate that the host does not trust.
func distrusted(err error) error {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0:
		var invalid x509.CertificateInvalidError
		expired := ""
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			expired = ", because it has expired"
		}
		return fmt.Errorf("this host does not trust the camera's certificate%s; if it is the camera's own, write tls: { fingerprint: %q }: %w",
			expired, Fingerprint(verification.UnverifiedCertificates[0].Raw), err)
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("the camera accepts the connection, and does not answer to TLS; if it does not encrypt at this port, write rtsp:// in place of rtsps://, or the port of rtsps")
	case errors.As(err, &record), errors.Is(err, io.EOF):
		return fmt.Errorf("the camera does not encrypt at this port (%v); write rtsp:// in place of rtsps://, or the port of rtsps", err)
	}
	return err
}
