package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"keelway.dev/e2e/cluster/internal/settings"
)

var place = settings.Settings{Cache: "/home/a/.cache/keelway", State: "/var/lib/keelway-cluster", GiteaUID: 64998}

func TestOnlyOurProgramsOnOurStateAreOurs(t *testing.T) {
	for _, c := range []struct {
		why, program, arguments string
		want                    bool
	}{
		{"a component", "/home/a/.cache/keelway/kube-1/kube", "kubelet\x00--config=/var/lib/keelway-cluster/kubelet.yaml\x00", true},
		{"a shim of a rebuilt binary", "/home/a/.cache/keelway/d/shim (deleted)", "shim\x00-address\x00/var/lib/keelway-cluster/c.sock\x00", true},
		{"the agent, given the folder itself", "/home/a/.cache/keelway/bin/keelway-cluster", "agent\x00--state\x00/var/lib/keelway-cluster\x00", true},
		{"another user's tail of a log", "/usr/bin/tail", "tail\x00-f\x00/var/lib/keelway-cluster/x\x00", false},
		{"our program on another state", "/home/a/.cache/keelway/kube-1/kube", "kubelet\x00--config=/srv/other/kubelet.yaml\x00", false},
		{"a folder with the same beginning", "/home/a/.cache/keelway/kube-1/kube", "etcd\x00/var/lib/keelway-cluster-2\x00", false},
		{"the system's own containerd", "/usr/bin/containerd", "containerd\x00", false},
	} {
		if got := Matches(place, c.program, c.arguments); got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

func TestAZombieIsKnownByItsStateWhateverItsName(t *testing.T) {
	if !isZombie("12 (a) S (b)) Z 1 2") || isZombie("12 (Z) S 1 2") {
		t.Error("the state is the field after the last parenthesis")
	}
}

func TestAStartedProgramIsFoundAndStopped(t *testing.T) {
	dir := t.TempDir()
	s := settings.Settings{Cache: filepath.Join(dir, "cache"), State: filepath.Join(dir, "state"), GiteaUID: 64998}
	for _, folder := range []string{s.Cache, s.Path("run"), s.Logs()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	binary, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(s.Cache, "sleeper")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	running, err := Start(s, Spec{Name: "sleeper", Argv: []string{program, "-c", "echo said; while :; do sleep 1; done", s.Path("x")}})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); Tail(s, "sleeper", 1) != "said" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if !Alive(s, "sleeper") || Tail(s, "sleeper", 1) != "said" {
		t.Errorf("alive %v, log %q", Alive(s, "sleeper"), Tail(s, "sleeper", 1))
	}
	if err := Stop(s, "sleeper"); err != nil {
		t.Fatal(err)
	}
	<-running.Exited
	if Alive(s, "sleeper") {
		t.Error("it is still alive after Stop")
	}
}
