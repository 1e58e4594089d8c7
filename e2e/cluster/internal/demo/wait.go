package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"keelway.dev/e2e/cluster/internal/gitea"
)

// patience is how long each of the stations from commit to answer may take.
const patience = 2 * time.Minute

// object is what all kinds of Keelway show of how they are.
type object struct {
	Metadata struct {
		Generation int64 `json:"generation"`
	} `json:"metadata"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

type condition struct {
	Type, Status, Reason, Message string
	ObservedGeneration            int64
}

// ready is nil once the object's condition Ready is true for what its spec says now; else it tells why not.
func (o object) ready() error {
	for _, one := range o.Status.Conditions {
		if one.Type != "Ready" {
			continue
		}
		if one.Status == "True" && one.ObservedGeneration == o.Metadata.Generation {
			return nil
		}
		return fmt.Errorf("%s: %s", one.Reason, one.Message)
	}
	return errNotYet
}

// rollOut follows the commit through the cluster.
func (d *Demo) rollOut(ctx context.Context) error {
	for _, station := range []struct{ what, kind, name string }{
		{"waiting until Keelway has applied the commit", "configrepo.keelway.dev", "config"},
		{"waiting until the app is rolled out", "environment.keelway.dev", environment},
	} {
		if err := d.until(ctx, station.what, func(ctx context.Context) error {
			var found object
			if err := d.get(ctx, station.kind, station.name, &found); err != nil {
				return err
			}
			return found.ready()
		}); err != nil {
			return err
		}
	}
	return nil
}

// answers waits until the app answers at its URL, through the router, and returns that URL.
func (d *Demo) answers(ctx context.Context) (string, error) {
	var url string
	err := d.until(ctx, "waiting until the app answers through the router", func(ctx context.Context) error {
		var found struct {
			Status struct {
				URL string `json:"url"`
			} `json:"status"`
		}
		if err := d.get(ctx, "environment.keelway.dev", environment, &found); err != nil {
			return err
		}
		if found.Status.URL == "" {
			return errNotYet
		}
		url = found.Status.URL + "/"
		return d.ask(ctx, url)
	})
	return url, err
}

func (d *Demo) until(ctx context.Context, what string, check func(context.Context) error) error {
	return d.display.Run(what, func() error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		last := errNotYet
		for {
			err := check(ctx)
			if err == nil {
				return nil
			}
			if ctx.Err() == nil {
				last = err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: gave up after %s: %w; see `kubectl get keelway -n %s -o wide` and `kubectl logs -n keelway-system deploy/keelway`", what, patience, last, namespace)
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

// ask wants a good answer. Browsers and curl know that names below localhost are this machine; not every resolver does.
func (d *Demo) ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	front := fmt.Sprintf("127.0.0.1:%d", d.Port("front"))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, front)
	}}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err == nil && answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, answer.Status, strings.TrimSpace(string(text)))
	}
	return err
}

// explain says where everything is and what to do next.
func (d *Demo) explain(url string) {
	password := gitea.PasswordFile(d.Settings)
	self, err := os.Executable()
	if err != nil {
		self = "keelway-cluster"
	}
	unset := ""
	if os.Getenv("GIT_SSL_CAINFO") != "" {
		unset = "unset GIT_SSL_CAINFO; " // It would win over what the clone is told.
	}
	fmt.Printf(`
The example app answers:  %[1]s
Its config repository:    %[2]s   (user %[3]s, password in %[4]s, authority %[5]s)
The cluster:              eval "$(%[6]s env)"

Three things to try:
  1. See the story:        kubectl get keelway -A   (kubectl get environments -A shows the URLs)
  2. Change the text:      %[11]sgit clone -c http.sslCAInfo=%[5]s https://%[3]s:$(cat %[4]s)@%[7]s/%[3]s/%[8]s.git /tmp/%[8]s
                           edit %[9]s there, git commit -am "Say something else" && git push, then: curl %[1]s
  3. Break it:             set its image to one that does not exist, push, and read kubectl describe app hello -n %[10]s
                           (the old release goes on answering)

To stop everything:       make cluster-down
`, url, strings.TrimSuffix(d.place.url, ".git"), gitea.Admin, password, gitea.CAFile(d.Settings), filepath.Clean(self), d.Addr("gitea"), repository, file, namespace, unset)
}
