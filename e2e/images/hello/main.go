// Command hello is the example app of the demo and the tests: a web server, a worker, a release command, a job and, to
// see the network as a pod does, a client (hello get URL) in one program. Environment variables make it misbehave on demand; it writes nowhere but under /tmp.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if reason := os.Getenv("FAIL_START"); reason != "" {
		log.Fatalf("FAIL_START is set: %s", reason)
	}
	misbehave()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	name := "web"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	commands := map[string]func(<-chan os.Signal) error{"web": web, "worker": worker, "migrate": migrate, "job": job, "get": get}
	command, ok := commands[name]
	if !ok {
		log.Fatalf("usage: hello [web|worker|migrate|job|get URL]")
	}
	if err := command(stop); err != nil {
		log.Fatalf("%s: %v", name, err)
	}
}

// misbehave does what EXIT_AFTER (a duration) and OOM (MiB, default 4096) ask for, beside the command.
func misbehave() {
	if after := duration("EXIT_AFTER"); after > 0 {
		go func() {
			time.Sleep(after)
			log.Fatalf("EXIT_AFTER %s is over", after)
		}()
	}
	if size := os.Getenv("OOM"); size != "" {
		go allocate(size)
	}
}

func allocate(size string) {
	mebibytes, err := strconv.Atoi(size)
	if err != nil || mebibytes < 2 {
		mebibytes = 4096
	}
	log.Printf("OOM is set: allocating %d MiB", mebibytes)
	var held [][]byte
	for range mebibytes {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
	}
	time.Sleep(time.Hour)
	log.Print(len(held))
}

// duration reads a Go duration such as 3s; 0 if it is absent or malformed.
func duration(name string) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	value, err := time.ParseDuration(text)
	if err != nil {
		log.Printf("%s=%q is ignored; want a duration such as 3s", name, text)
		return 0
	}
	return value
}

func version() string {
	if value := os.Getenv("VERSION"); value != "" {
		return value
	}
	return "unknown"
}

// labelsFile is where the downward API shows the pod's labels; ELECTED_FILE names another place.
func labelsFile() string {
	if file := os.Getenv("ELECTED_FILE"); file != "" {
		return file
	}
	return "/etc/keelway/labels"
}

// elected reads the labels file for the label by which one pod of an elected process is known.
func elected() string {
	text, err := os.ReadFile(labelsFile())
	if err != nil {
		return "unknown"
	}
	for _, line := range strings.Split(string(text), "\n") {
		name, _, found := strings.Cut(line, "=")
		if found && name == "keelway.dev/elected" {
			return "yes"
		}
	}
	return "no"
}

func worker(stop <-chan os.Signal) error {
	log.Printf("worker %s started", version())
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-stop:
			log.Print("worker stops")
			return nil
		case <-ticker.C:
			if now := elected(); now != last {
				log.Printf("elected: %s", now)
				last = now
			}
		}
	}
}

func migrate(<-chan os.Signal) error {
	log.Printf("migrating to version %s", version())
	time.Sleep(duration("MIGRATE_DELAY"))
	if reason := os.Getenv("MIGRATE_FAIL"); reason != "" {
		return fmt.Errorf("MIGRATE_FAIL is set: %s", reason)
	}
	log.Print("migrated")
	return os.WriteFile("/tmp/migrated", []byte(version()), 0o600)
}

func job(<-chan os.Signal) error {
	log.Printf("job of version %s", version())
	time.Sleep(duration("JOB_DELAY"))
	if reason := os.Getenv("JOB_FAIL"); reason != "" {
		return fmt.Errorf("JOB_FAIL is set: %s", reason)
	}
	log.Print("job done")
	return nil
}
