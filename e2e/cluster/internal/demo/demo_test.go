package demo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadyMeansReadyForTheSpecOfNow(t *testing.T) {
	for text, want := range map[string]string{
		`{"metadata":{"generation":2},"status":{"conditions":[{"type":"Ready","status":"True","observedGeneration":2}]}}`:                                                 "",
		`{"metadata":{"generation":2},"status":{"conditions":[{"type":"Ready","status":"True","observedGeneration":1,"reason":"Applied","message":"v1"}]}}`:               "Applied: v1",
		`{"metadata":{"generation":1},"status":{"conditions":[{"type":"Ready","status":"False","observedGeneration":1,"reason":"ImagePull","message":"no such image"}]}}`: "ImagePull: no such image",
		`{"metadata":{"generation":1},"status":{}}`: "not yet",
	} {
		var found object
		if err := json.Unmarshal([]byte(text), &found); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := found.ready(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestTheTemplatesAreFilledIn(t *testing.T) {
	app, err := render("hello.yaml", map[string]string{"Image": "r/hello:1"})
	if err != nil || !strings.Contains(string(app), "image: r/hello:1\n") {
		t.Errorf("%v\n%s", err, app)
	}
	objects, err := render("objects.yaml", map[string]string{"Token": "dA==", "Authority": "YQ==", "URL": "https://h/r.git"})
	if err != nil || strings.Contains(string(objects), "<no value>") || !strings.Contains(string(objects), "url: https://h/r.git") {
		t.Errorf("%v\n%s", err, objects)
	}
}

func TestTheKeyChangesWithAnyFile(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one")
	if err := os.WriteFile(one, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := hashFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(one, filepath.Join(dir, "two")); err != nil {
		t.Fatal(err)
	}
	after, err := hashFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("a renamed file kept the key")
	}
}

func TestAClusterOfOnesOwnIsToldWhatItNeeds(t *testing.T) {
	_, err := currentPlace(func(string) string { return "" })
	if err == nil {
		t.Fatal("nothing was missing")
	}
	for _, name := range []string{imageVariable, appVariable, urlVariable, tokenVariable} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

func TestATagIsNotAPort(t *testing.T) {
	for image, want := range map[string]string{"r.example.com:5000/a/b:1": "r.example.com:5000/a/b 1", "r.example.com:5000/a/b": ""} {
		repository, tag, found := cutTag(image)
		if got := repository + " " + tag; found != (want != "") || found && got != want {
			t.Errorf("%s: %q", image, got)
		}
	}
}
