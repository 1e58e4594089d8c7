// Package process starts the cluster's components in the background and finds them again: by the files with their
// process ids, and, when those are lost, by what they execute and which state folder is on their command line.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"keelway.dev/e2e/cluster/internal/settings"
)

// Spec is a component to start.
type Spec struct {
	Name string
	// Argv starts with the program's absolute path. The state folder must be on it: that is how it is found again.
	Argv []string
	// Env is added to the environment; Dir is the working folder, the state folder if empty.
	Env []string
	Dir string
	// UID other than 0 runs it as that ordinary user and group.
	UID int
}

// Running is a component that this process has started.
type Running struct {
	Spec Spec
	PID  int
	// Exited is closed when it ended; Err then says how.
	Exited chan struct{}
	Err    error
}

// Start runs a component in a session of its own, so that it outlives the caller and its terminal; output goes to its log.
func Start(s settings.Settings, spec Spec) (*Running, error) {
	log, err := os.OpenFile(LogFile(s, spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(spec.Argv[0], spec.Argv[1:]...)
	command.Stdout, command.Stderr = log, log
	command.Dir = spec.Dir
	if command.Dir == "" {
		command.Dir = s.State
	}
	command.Env = append(os.Environ(), spec.Env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if spec.UID != 0 {
		id := uint32(spec.UID)
		command.SysProcAttr.Credential = &syscall.Credential{Uid: id, Gid: id}
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	running := &Running{Spec: spec, PID: command.Process.Pid, Exited: make(chan struct{})}
	go func() {
		running.Err = command.Wait()
		close(running.Exited)
	}()
	if err := os.WriteFile(pidFile(s, spec.Name), []byte(strconv.Itoa(running.PID)), 0o644); err != nil {
		return nil, err
	}
	return running, nil
}

// LogFile is where a component's output goes.
func LogFile(s settings.Settings, name string) string { return filepath.Join(s.Logs(), name+".log") }

// Tail is the last lines of a component's log.
func Tail(s settings.Settings, name string, lines int) string {
	text, err := os.ReadFile(LogFile(s, name))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func pidFile(s settings.Settings, name string) string { return s.Path("run", name+".pid") }

// Alive says whether the component of that name that was started last still runs.
func Alive(s settings.Settings, name string) bool {
	pid, err := readPID(s, name)
	return err == nil && isOurs(s, pid)
}

// PID is the process id that was written down for a component.
func PID(s settings.Settings, name string) (int, error) { return readPID(s, name) }

func readPID(s settings.Settings, name string) (int, error) {
	text, err := os.ReadFile(pidFile(s, name))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Stop ends one component: politely first, by force after three seconds.
func Stop(s settings.Settings, name string) error {
	pid, err := readPID(s, name)
	if err != nil || !isOurs(s, pid) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	for deadline := time.Now().Add(3 * time.Second); isOurs(s, pid) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if isOurs(s, pid) {
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}
