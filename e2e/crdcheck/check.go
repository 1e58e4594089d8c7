// Package crdcheck holds the CRDs against the API server's own validation, without a cluster: the definitions
// themselves (structural schema, cost of the CEL rules) and objects that they must take or refuse.
package crdcheck

import (
	"context"
	"fmt"
	"os"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	apivalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// Kind is one definition, ready to judge objects.
type Kind struct {
	Name       string
	structural *schema.Structural
	validator  apivalidation.SchemaValidator
	rules      *cel.Validator
}

// Load reads a definition and returns what the API server would say against it.
func Load(path string) (*Kind, field.ErrorList, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var definition v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &definition); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(&definition)
	var internal apiextensions.CustomResourceDefinition
	if err := scheme.Convert(&definition, &internal, nil); err != nil {
		return nil, nil, err
	}
	internal.Status.StoredVersions = []string{definition.Spec.Versions[0].Name}
	problems := validation.ValidateCustomResourceDefinition(context.Background(), &internal)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	props := internal.Spec.Validation
	if props == nil {
		props = internal.Spec.Versions[0].Schema
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		return nil, nil, err
	}
	validator, _, err := apivalidation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		return nil, nil, err
	}
	rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	return &Kind{definition.Spec.Names.Kind, structural, validator, rules}, nil, nil
}

// Judge returns what the API server would say against creating the object, or against changing old into it.
func (k *Kind) Judge(object, old map[string]any) []string {
	var said []string
	unknown := pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		said = append(said, fmt.Sprintf("unknown field %q", path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, k.structural)
	defaulting.Default(object, k.structural)
	var errs field.ErrorList
	errs = append(errs, apivalidation.ValidateCustomResource(nil, object, k.validator)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if k.rules != nil {
		var before any
		if old != nil {
			before = old
		}
		found, _ := k.rules.Validate(context.Background(), nil, k.structural, object, before, celconfig.RuntimeCELCostBudget)
		errs = append(errs, found...)
	}
	for _, err := range errs {
		said = append(said, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return said
}
