package settings

import (
	"os"
	"strings"
	"testing"
)

func none(string) (string, bool) { return "", false }

func file(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../settings.env")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheShippedFileIsComplete(t *testing.T) {
	s, err := Parse("/checkout", file(t), none)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Addr("registry"); got != "10.88.0.1:5000" {
		t.Errorf("registry at %s", got)
	}
	if got := s.PodGateway().String(); got != "10.244.0.1" {
		t.Errorf("gateway %s", got)
	}
	if got := s.ServiceIP().String(); got != "10.96.0.1" {
		t.Errorf("service %s", got)
	}
	if got := s.Logs(); got != "/var/lib/keelway-cluster-logs" {
		t.Errorf("logs %s", got)
	}
}

func TestNoTwoPartsShareAPort(t *testing.T) {
	s, err := Parse("/checkout", file(t), none)
	if err != nil {
		t.Fatal(err)
	}
	taken := map[int]string{}
	for name, port := range s.Ports {
		if other, ok := taken[port]; ok {
			t.Errorf("%s and %s both use port %d", name, other, port)
		}
		taken[port] = name
	}
}

func TestTheEnvironmentWins(t *testing.T) {
	s, err := Parse("/checkout", file(t), func(name string) (string, bool) {
		return "/srv/other", name == "KEELWAY_STATE"
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.State != "/srv/other" {
		t.Errorf("state %s", s.State)
	}
}

func TestABadValueIsNamedWithItsCure(t *testing.T) {
	for name, want := range map[string]string{
		"KEELWAY_NODE_IP=127.0.0.1":   "outside 127.0.0.0/8",
		"KEELWAY_DNS_IP=8.8.8.8":      "address of KEELWAY_SERVICE_CIDR",
		"KEELWAY_STATE=relative":      "absolute path",
		"KEELWAY_STATE=/":             "absolute path",
		"KEELWAY_PORT_GITEA=lots":     "positive number",
		"KEELWAY_PORT_GITEA=70000":    "1 to 65535",
		"KEELWAY_POD_CIDR=10.244.0.0": "such as 10.244.0.0/16",
		"this is no setting":          "want NAME=value",
	} {
		_, err := Parse("/checkout", file(t)+name+"\n", none)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
