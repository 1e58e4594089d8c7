// Package pki makes the cluster's certificates and kubeconfigs, anew at every start.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime of every certificate; a test cluster is not meant to live longer.
const lifetime = 365 * 24 * time.Hour

// Authority signs certificates into a folder.
type Authority struct {
	dir, name string
	cert      *x509.Certificate
	key       crypto.Signer
}

// Subject is whom a certificate is for.
type Subject struct {
	// User and Groups are what Kubernetes authenticates; hosts are names or addresses of a server.
	User   string
	Groups []string
	Hosts  []string
}

// NewAuthority writes <name>.crt and <name>.key into dir.
func NewAuthority(dir, name string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	template, err := base(pkix.Name{CommonName: "Keelway local cluster " + name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	authority := &Authority{dir: dir, name: name, cert: cert, key: key}
	return authority, errors.Join(writeCert(authority.File(name, "crt"), der), writeKey(authority.File(name, "key"), key))
}

// File is the path of a certificate ("crt") or key ("key") of this authority.
func (a *Authority) File(name, kind string) string { return filepath.Join(a.dir, name+"."+kind) }

// Issue writes <name>.crt and <name>.key, good for a client and for a server.
func (a *Authority) Issue(name string, subject Subject) error {
	template, err := base(pkix.Name{CommonName: subject.User, Organization: subject.Groups})
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, host := range subject.Hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return errors.Join(writeCert(a.File(name, "crt"), der), writeKey(a.File(name, "key"), key))
}

// NewKey writes a key pair for signing service account tokens: <name>.key and <name>.pub.
func NewKey(dir, name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	return errors.Join(writeKey(filepath.Join(dir, name+".key"), key), os.WriteFile(filepath.Join(dir, name+".pub"), text, 0o644))
}

// Kubeconfig writes a configuration with everything inside for the certificate of that name.
func (a *Authority) Kubeconfig(name, server, target string) error {
	var data [3][]byte
	for i, file := range []string{a.File(a.name, "crt"), a.File(name, "crt"), a.File(name, "key")} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		data[i] = text
	}
	text := fmt.Sprintf(kubeconfig, encode(data[0]), server, encode(data[1]), encode(data[2]))
	return os.WriteFile(target, []byte(text), 0o600)
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: keelway
  cluster: {certificate-authority-data: %s, server: %q}
users:
- name: keelway
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: keelway
  context: {cluster: keelway, user: keelway}
current-context: keelway
`

func base(name pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	// An hour back, for clocks that are set while the cluster starts.
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime)}, nil
}
