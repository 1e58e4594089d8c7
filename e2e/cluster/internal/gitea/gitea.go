// Package gitea sets the cluster's git host up and talks to its API.
package gitea

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"

	"keelway.dev/e2e/cluster/internal/process"
	"keelway.dev/e2e/cluster/internal/settings"
)

//go:embed app.ini
var config string

// Admin is the name of the first user, who may do everything.
const Admin = "keelway"

// Home is Gitea's folder in the state.
func Home(s settings.Settings) string { return s.Path("gitea") }

// URL is where Gitea answers.
func URL(s settings.Settings) string { return "https://" + s.Addr("gitea") }

// TokenFile holds the admin's API token, readable by root alone; PasswordFile the password.
func TokenFile(s settings.Settings) string { return s.Path("gitea-token") }

// PasswordFile holds the admin's password, readable by root alone.
func PasswordFile(s settings.Settings) string { return s.Path("gitea-password") }

// CAFile is the certificate of the authority that signed Gitea's.
func CAFile(s settings.Settings) string { return s.Path("pki", "services-ca.crt") }

// KnownHostsFile has the line by which ssh clients know Gitea.
func KnownHostsFile(s settings.Settings) string { return s.Path("gitea-known-hosts") }

// Prepare writes everything that Gitea needs into its folder; built is the tool's folder in the cache.
func Prepare(s settings.Settings, built string) error {
	home := Home(s)
	if err := os.MkdirAll(filepath.Join(home, "static"), 0o755); err != nil {
		return err
	}
	// Gitea refuses to run as root, and an ordinary user may not look into root's cache: link it into the state.
	for source, target := range map[string]string{
		"gitea": "gitea", "templates": "static/templates", "options": "static/options", "public": "static/public",
	} {
		if err := link(filepath.Join(built, source), filepath.Join(home, target)); err != nil {
			return err
		}
	}
	for source, target := range map[string]string{"gitea.crt": "tls.crt", "gitea.key": "tls.key"} {
		text, err := os.ReadFile(s.Path("pki", source))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(home, target), text, 0o600); err != nil {
			return err
		}
	}
	if err := hostKey(s); err != nil {
		return err
	}
	if err := writeConfig(s); err != nil {
		return err
	}
	return chown(home, s.GiteaUID)
}

// link makes hard links, or copies where source and target are on different file systems.
func link(source, target string) error {
	if exec.Command("cp", "-rl", source, target).Run() == nil {
		return nil
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if text, err := exec.Command("cp", "-r", source, target).CombinedOutput(); err != nil {
		return fmt.Errorf("copying %s: %w: %s", source, err, text)
	}
	return nil
}

// chown gives Gitea what it writes or must keep to itself; the linked program and its static files stay root's.
func chown(home string, uid int) error {
	problems := []error{os.Chown(home, uid, uid)}
	for _, name := range []string{"tls.crt", "tls.key", "ssh_host_key", "ssh_host_key.pub", "app.ini"} {
		problems = append(problems, os.Chown(filepath.Join(home, name), uid, uid))
	}
	return errors.Join(problems...)
}

func hostKey(s settings.Settings) error {
	file := filepath.Join(Home(s), "ssh_host_key")
	if text, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gitea", "-f", file).CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, text)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(public))
	line := fmt.Sprintf("[%s]:%d %s %s\n", s.NodeIP, s.Port("gitea_ssh"), fields[0], fields[1])
	return os.WriteFile(KnownHostsFile(s), []byte(line), 0o644)
}

func writeConfig(s settings.Settings) error {
	parsed, err := template.New("app.ini").Parse(config)
	if err != nil {
		return err
	}
	secrets := make([]byte, 96)
	if _, err := rand.Read(secrets); err != nil {
		return err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, map[string]any{
		"Home": Home(s), "IP": s.NodeIP, "Port": s.Port("gitea"), "SSHPort": s.Port("gitea_ssh"), "URL": URL(s),
		"Secret": hex.EncodeToString(secrets[:32]), "InternalToken": hex.EncodeToString(secrets[32:64]),
		"JWTSecret": base64.RawURLEncoding.EncodeToString(secrets[64:]),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(Home(s), "app.ini"), text.Bytes(), 0o600)
}

// Spec is the component to start.
func Spec(s settings.Settings) process.Spec {
	home := Home(s)
	return process.Spec{
		Name: "gitea", Argv: append([]string{filepath.Join(home, "gitea")}, "web", "--config", filepath.Join(home, "app.ini")),
		Dir: home, UID: s.GiteaUID, Env: environment(home),
	}
}

func environment(home string) []string {
	return []string{"HOME=" + home, "USER=git", "GITEA_WORK_DIR=" + home}
}

// CreateAdmin makes the first user and writes password and token into their files. Gitea's database must be there.
func CreateAdmin(s settings.Settings) error {
	password := make([]byte, 16)
	if _, err := rand.Read(password); err != nil {
		return err
	}
	secret := hex.EncodeToString(password)
	if err := os.WriteFile(PasswordFile(s), []byte(secret+"\n"), 0o600); err != nil {
		return err
	}
	text, err := run(s, "admin", "user", "create", "--admin", "--username", Admin, "--email", Admin+"@example.com",
		"--password", secret, "--must-change-password=false", "--access-token", "--access-token-name", "cluster", "--access-token-scopes", "all")
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), secret, "…"))
	}
	_, rest, found := strings.Cut(text, "Access token was successfully created... ")
	if !found {
		return errors.New("gitea admin user create printed no access token; did its output change with the version?")
	}
	return os.WriteFile(TokenFile(s), []byte(strings.Fields(rest)[0]+"\n"), 0o600)
}

// run executes Gitea's own command line as its user.
func run(s settings.Settings, args ...string) (string, error) {
	home := Home(s)
	command := exec.Command(filepath.Join(home, "gitea"), append(args, "--config", filepath.Join(home, "app.ini"))...)
	command.Dir, command.Env = home, append(os.Environ(), environment(home)...)
	id := uint32(s.GiteaUID)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	text, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gitea %s (as user %s): %w: %s", args[0], strconv.Itoa(s.GiteaUID), err, text)
	}
	return string(text), nil
}
