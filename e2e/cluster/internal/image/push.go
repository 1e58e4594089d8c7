package image

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push uploads an image to a plain-HTTP registry and returns "repository@digest".
func Push(ctx context.Context, built v1.Image, reference string) (string, error) {
	target, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return "", err
	}
	if err := remote.Write(target, built, remote.WithContext(ctx), remote.WithAuth(authn.Anonymous)); err != nil {
		return "", fmt.Errorf("pushing %s: %w; is the cluster up (keelway-cluster status)?", reference, err)
	}
	digest, err := built.Digest()
	if err != nil {
		return "", err
	}
	return target.Context().Name() + "@" + digest.String(), nil
}
