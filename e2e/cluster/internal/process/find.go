package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"keelway.dev/e2e/cluster/internal/settings"
)

// Found is a process of the cluster.
type Found struct {
	PID     int
	Command string
}

// Ours lists every process of the cluster on this machine: components, shims, what Gitea runs, and the pods' processes.
func Ours(s settings.Settings) []Found {
	var found []Found
	inPods := podProcesses(s)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if inPods[pid] || isOurs(s, pid) {
			found = append(found, Found{PID: pid, Command: commandLine(pid)})
		}
	}
	return found
}

// isOurs holds for a living process that executes one of our programs with our state folder among its arguments, or
// runs as Gitea's user. A process id that was given to somebody else meanwhile satisfies neither.
func isOurs(s settings.Settings, pid int) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil || isZombie(string(status)) {
		return false
	}
	if info, err := os.Stat(folder); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) == s.GiteaUID {
			return true
		}
	}
	program, err := os.Readlink(filepath.Join(folder, "exe"))
	if err != nil {
		return false
	}
	arguments, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil {
		return false
	}
	return Matches(s, program, string(arguments))
}

// Matches says whether a program (a /proc/<pid>/exe) and its arguments (separated by NUL) are a part of the cluster.
func Matches(s settings.Settings, program, arguments string) bool {
	program = strings.TrimSuffix(program, " (deleted)")
	if !strings.HasPrefix(program, s.Cache+"/") && !strings.HasPrefix(program, s.State+"/") {
		return false
	}
	for _, argument := range strings.Split(arguments, "\x00") {
		if argument == s.State || strings.Contains(argument, s.State+"/") {
			return true
		}
	}
	return false
}

func isZombie(stat string) bool {
	// "pid (name) state …", where the name may hold anything, parentheses too.
	rest := stat[strings.LastIndex(stat, ")")+1:]
	return strings.HasPrefix(strings.TrimSpace(rest), "Z")
}

func commandLine(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	line := strings.ReplaceAll(strings.TrimRight(string(text), "\x00"), "\x00", " ")
	if len(line) > 120 {
		line = line[:120] + "…"
	}
	return line
}

// CgroupRoot is the name of the control group under which all pods run.
const CgroupRoot = "keelway"

// Cgroups are the folders of our control group: one, or with version 1 one per controller.
func Cgroups() []string {
	var groups []string
	for _, pattern := range []string{"/sys/fs/cgroup/" + CgroupRoot, "/sys/fs/cgroup/*/" + CgroupRoot} {
		matches, err := filepath.Glob(pattern)
		if err == nil {
			groups = append(groups, matches...)
		}
	}
	return groups
}

func podProcesses(s settings.Settings) map[int]bool {
	pids := map[int]bool{}
	for _, group := range Cgroups() {
		// A folder that goes away during the walk is no error: its processes are gone too.
		_ = filepath.WalkDir(group, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Name() == "cgroup.procs" {
				text, _ := os.ReadFile(path)
				for _, line := range strings.Fields(string(text)) {
					if pid, err := strconv.Atoi(line); err == nil {
						pids[pid] = true
					}
				}
			}
			return nil
		})
	}
	return pids
}
