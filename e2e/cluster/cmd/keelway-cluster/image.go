package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"keelway.dev/e2e/cluster/internal/image"
	"keelway.dev/e2e/cluster/internal/settings"
	"keelway.dev/e2e/cluster/internal/tools"
)

// list is a flag that may be given many times.
type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// runImage builds an image, pushes it to the cluster's registry (or --registry) and prints "repository@digest".
func runImage(ctx context.Context, s settings.Settings, args []string) error {
	var add, entrypoint, env list
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	name := flags.String("name", "", "repository, such as keelway/operator")
	tag := flags.String("tag", "dev", "tag")
	target := flags.String("registry", s.Addr("registry"), "registry to push to, plain HTTP")
	base := flags.String("base", "scratch", "scratch, or glibc: libc6, libgcc-s1 and the trusted certificate authorities")
	user := flags.String("user", "65532:65532", "user that the image runs as")
	port := flags.String("port", "", "port that the image listens on")
	dir := flags.String("dir", "/", "working folder")
	flags.Var(&add, "add", "<file or folder>:<absolute path in the image>; repeatable")
	flags.Var(&entrypoint, "entrypoint", "program, then its arguments; repeatable")
	flags.Var(&env, "env", "NAME=value; repeatable")
	if flags.Parse(args) != nil {
		return errUsage
	}
	if *name == "" || len(entrypoint) == 0 {
		return fmt.Errorf("image: --name and --entrypoint are needed")
	}
	spec := image.Spec{Entrypoint: entrypoint, Env: env, User: *user, Dir: *dir, Port: *port}
	switch *base {
	case "scratch":
	case "glibc":
		folder, err := tools.EnsureBase(s, os.Stderr)
		if err != nil {
			return err
		}
		spec.Base = folder
	default:
		return fmt.Errorf("image: --base %s is unknown; want scratch or glibc", *base)
	}
	for _, text := range add {
		mapping, err := image.ParseMapping(text)
		if err != nil {
			return err
		}
		spec.Add = append(spec.Add, mapping)
	}
	built, err := image.Build(spec)
	if err != nil {
		return err
	}
	reference, err := image.Push(ctx, built, fmt.Sprintf("%s/%s:%s", *target, *name, *tag))
	if err != nil {
		return err
	}
	fmt.Println(reference)
	return nil
}
