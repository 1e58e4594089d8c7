package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func digest(t *testing.T, spec Spec) string {
	t.Helper()
	built, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := built.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

func TestTheDigestDependsOnContentAlone(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "app", "one")
	spec := Spec{Add: []Mapping{{file, "/usr/local/bin/app"}}, Entrypoint: []string{"/usr/local/bin/app"}}
	first := digest(t, spec)
	if err := os.Chtimes(file, time.Unix(5, 0), time.Unix(6, 0)); err != nil {
		t.Fatal(err)
	}
	if again := digest(t, spec); again != first {
		t.Error("the file's time changed the digest")
	}
	write(t, dir, "app", "two")
	if changed := digest(t, spec); changed == first {
		t.Error("the file's content did not change the digest")
	}
}

func TestALayerHoldsParentsOnceLinksAndModes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "root/usr/lib/a", "a")
	if err := os.Symlink("usr/lib", filepath.Join(dir, "root/lib")); err != nil {
		t.Fatal(err)
	}
	tool := write(t, dir, "tool", "t")
	built, err := Build(Spec{Base: filepath.Join(dir, "root"), Add: []Mapping{{tool, "/usr/bin/tool"}, {tool, "/usr/bin/other"}}})
	if err != nil {
		t.Fatal(err)
	}
	layers, err := built.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := entries(t, layers[0]), []string{"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a"}; !slices.Equal(got, want) {
		t.Errorf("base: %q", got)
	}
	if got, want := entries(t, layers[1]), []string{"usr/", "usr/bin/", "usr/bin/tool", "usr/bin/other"}; !slices.Equal(got, want) {
		t.Errorf("added: %q", got)
	}
}

func TestANamedLinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "lib.so.6.4", "l")
	link := filepath.Join(dir, "lib.so.6")
	if err := os.Symlink("lib.so.6.4", link); err != nil {
		t.Fatal(err)
	}
	built, err := Build(Spec{Add: []Mapping{{link, "/lib.so.6"}}})
	if err != nil {
		t.Fatal(err)
	}
	layers, err := built.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if got := entries(t, layers[0]); !slices.Equal(got, []string{"lib.so.6"}) {
		t.Errorf("%q", got)
	}
}

func entries(t *testing.T, from v1.Layer) []string {
	t.Helper()
	reader, err := from.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(reader); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		name := header.Name
		if header.Linkname != "" {
			name = fmt.Sprintf("%s -> %s", name, header.Linkname)
		}
		names = append(names, name)
	}
}

func TestAMappingNeedsAnAbsoluteTarget(t *testing.T) {
	for _, text := range []string{"file", "file:relative", ":/x"} {
		if _, err := ParseMapping(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
	if got, err := ParseMapping("a/b:/c/../d"); err != nil || got != (Mapping{"a/b", "/d"}) {
		t.Errorf("%v %v", got, err)
	}
}
