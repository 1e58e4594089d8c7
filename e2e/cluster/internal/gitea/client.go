package gitea

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"keelway.dev/e2e/cluster/internal/settings"
)

// Client calls the API as the admin.
type Client struct {
	url, token string
	http       *http.Client
}

// NewClient reads the authority's certificate and the token from the state folder.
func NewClient(s settings.Settings) (*Client, error) {
	authority, err := os.ReadFile(CAFile(s))
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(TokenFile(s))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &Client{
		url: URL(s), token: strings.TrimSpace(string(token)),
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	}, nil
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code int
	Text string
}

func (e *StatusError) Error() string { return fmt.Sprintf("gitea answered %d: %s", e.Code, e.Text) }

// IsStatus says whether an error is that answer.
func IsStatus(err error, code int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}

// Call sends a request below /api/v1 and decodes the answer into result, unless that is nil.
func (c *Client) Call(ctx context.Context, method, path string, body, result any) error {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+"/api/v1"+path, payload)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "token "+c.token)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return &StatusError{answer.StatusCode, strings.TrimSpace(string(text))}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(text, result)
}

// Ready asks for the version, which Gitea tells anybody once its database is in order.
func (c *Client) Ready(ctx context.Context) error {
	return c.Call(ctx, http.MethodGet, "/version", nil, nil)
}

// EnsureRepository makes a repository of the admin's unless it exists.
func (c *Client) EnsureRepository(ctx context.Context, name string, private bool) error {
	err := c.Call(ctx, http.MethodGet, "/repos/"+Admin+"/"+name, nil, nil)
	if !IsStatus(err, http.StatusNotFound) {
		return err
	}
	return c.Call(ctx, http.MethodPost, "/user/repos", map[string]any{"name": name, "private": private, "auto_init": true, "default_branch": "main"}, nil)
}
