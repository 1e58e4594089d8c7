package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnIssuedCertificateIsTrustedForItsHostsOnly(t *testing.T) {
	authority, err := NewAuthority(filepath.Join(t.TempDir(), "pki"), "ca")
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.Issue("server", Subject{User: "u", Groups: []string{"g"}, Hosts: []string{"10.88.0.1", "git.local"}}); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(authority.File("server", "crt"), authority.File("server", "key"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	for host, want := range map[string]bool{"10.88.0.1": true, "git.local": true, "10.88.0.2": false, "other.local": false} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
	if cert.Subject.CommonName != "u" || cert.Subject.Organization[0] != "g" {
		t.Errorf("subject %v", cert.Subject)
	}
}

func TestAKubeconfigIsPrivateAndNamesTheServer(t *testing.T) {
	dir := t.TempDir()
	authority, err := NewAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.Issue("admin", Subject{User: "admin"}); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "config")
	if err := authority.Kubeconfig("admin", "https://10.88.0.1:6443", target); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || !strings.Contains(string(text), `server: "https://10.88.0.1:6443"`) {
		t.Errorf("mode %v\n%s", info.Mode(), text)
	}
}
