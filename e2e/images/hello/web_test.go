package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func ask(path string) (int, string) {
	recorder := httptest.NewRecorder()
	routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Code, recorder.Body.String()
}

func TestTheFrontPageShowsTextAndVersion(t *testing.T) {
	t.Setenv("TEXT", "Good morning")
	t.Setenv("VERSION", "7")
	if code, body := ask("/"); code != http.StatusOK || body != "Good morning (version 7)\n" {
		t.Errorf("%d %q", code, body)
	}
}

func TestReadinessFailsOnDemand(t *testing.T) {
	if code, _ := ask("/healthz"); code != http.StatusOK {
		t.Errorf("healthy: %d", code)
	}
	t.Setenv("READY_FAIL", "1")
	if code, _ := ask("/healthz"); code != http.StatusServiceUnavailable {
		t.Errorf("failing: %d", code)
	}
}

func TestTheLabelsFileTellsWhetherThisPodIsElected(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labels")
	t.Setenv("ELECTED_FILE", file)
	if _, body := ask("/elected"); body != "unknown\n" {
		t.Errorf("without the file: %q", body)
	}
	for text, want := range map[string]string{
		"app=\"x\"\nkeelway.dev/elected=\"web\"\n": "yes\n",
		"app=\"x\"\nkeelway.dev/electedish=\"\"\n": "no\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, body := ask("/elected"); body != want {
			t.Errorf("%q: %q", text, body)
		}
	}
}

func TestMigrateFailsOnDemand(t *testing.T) {
	t.Setenv("MIGRATE_FAIL", "no such table")
	if err := migrate(nil); err == nil || err.Error() != "MIGRATE_FAIL is set: no such table" {
		t.Error(err)
	}
}
