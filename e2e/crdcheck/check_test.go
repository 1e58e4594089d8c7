package crdcheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../.."

func kinds(t *testing.T) map[string]*Kind {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "crds/yaml/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions below %s/crds/yaml: run `make generate` (%v)", root, err)
	}
	all := map[string]*Kind{}
	for _, file := range files {
		kind, problems, err := Load(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, problem := range problems {
			t.Errorf("%s: %v", file, problem)
		}
		if kind != nil {
			all[kind.Name] = kind
		}
	}
	return all
}

// Every document of crds/cases is an object. `# refused: TEXT` in front of it says what the API server must answer;
// `# was:` says that the document before it is the object that it changes.
func TestTheCasesAreJudgedAsTheySay(t *testing.T) {
	all := kinds(t)
	files, _ := filepath.Glob(filepath.Join(root, "crds/cases/*.yaml"))
	seen := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var before map[string]any
		for number, document := range strings.Split(string(text), "\n---\n") {
			var object map[string]any
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				t.Fatalf("%s document %d: %v", file, number+1, err)
			}
			name, _ := object["kind"].(string)
			kind := all[name]
			if kind == nil {
				t.Fatalf("%s document %d: unknown kind %q", file, number+1, name)
			}
			seen[name]++
			var old map[string]any
			if strings.Contains(document, "# was: the one before") {
				old = before
			}
			said := strings.Join(kind.Judge(object, old), "; ")
			before = object
			expect(t, file, number+1, document, said)
		}
	}
	for name := range all {
		if seen[name] < 2 {
			t.Errorf("crds/cases has %d cases of %s; write at least one that is taken and one that is refused", seen[name], name)
		}
	}
}

func expect(t *testing.T, file string, number int, document, said string) {
	t.Helper()
	_, want, refused := strings.Cut(document, "# refused: ")
	want, _, _ = strings.Cut(want, "\n")
	switch {
	case refused && said == "":
		t.Errorf("%s document %d: taken, but should be refused with %q", file, number, want)
	case refused && !strings.Contains(said, want):
		t.Errorf("%s document %d: refused with %q, which lacks %q", file, number, said, want)
	case !refused && said != "":
		t.Errorf("%s document %d: refused: %s", file, number, said)
	}
}
