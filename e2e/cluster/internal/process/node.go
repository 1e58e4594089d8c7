package process

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"keelway.dev/e2e/cluster/internal/settings"
)

// shadowed are the folders that the container runtime and the kubelet insist on. In their own view of the file system
// these are folders of the state; the machine's own stay untouched.
var shadowed = []string{"/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"}

// createdFile lists the folders of shadowed that the machine lacked.
const createdFile = "created-folders"

// PrepareShadows makes the folders to mount on, and writes down which ones were not there.
func PrepareShadows(s settings.Settings) error {
	var created []string
	for _, folder := range shadowed {
		if err := os.MkdirAll(s.Path("node", folder), 0o755); err != nil {
			return err
		}
		for path := folder; ; path = filepath.Dir(path) {
			if _, err := os.Stat(path); err == nil {
				break
			}
			created = append(created, path)
		}
	}
	if err := os.WriteFile(s.Path(createdFile), []byte(strings.Join(created, "\n")), 0o644); err != nil {
		return err
	}
	for _, folder := range shadowed {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// RemoveShadows removes the empty folders that PrepareShadows made.
func RemoveShadows(s settings.Settings) {
	text, err := os.ReadFile(s.Path(createdFile))
	if err != nil {
		return
	}
	for _, folder := range strings.Fields(string(text)) {
		// Only empty folders go; one that is in use by now stays.
		_ = os.Remove(folder)
	}
}

// ExecInNode replaces this process by a program that sees a mount namespace of the cluster's own: a new one, or with
// join the one of a running process. All mounts of the runtime and the pods live there and end with its processes.
func ExecInNode(s settings.Settings, join int, argv []string) error {
	runtime.LockOSThread()
	if join != 0 {
		if err := joinMounts(join); err != nil {
			return err
		}
	} else if err := newMounts(s); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return unix.Exec(argv[0], argv, os.Environ())
}

func newMounts(s settings.Settings) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a mount namespace of our own: %w (this needs root)", err)
	}
	// Mounts of the machine still come in; ours do not get out.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	// Inside, the kubelet needs shared mounts for volumes that are passed from one container to another.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	for _, folder := range shadowed {
		if err := unix.Mount(s.Path("node", folder), folder, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting over %s: %w", folder, err)
		}
	}
	return nil
}

func joinMounts(pid int) error {
	namespace, err := unix.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns", "mnt"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(namespace)
	// The kernel refuses a thread that shares its file-system attributes with others.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("joining the mounts of process %d: %w", pid, err)
	}
	return nil
}
