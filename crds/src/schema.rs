//! The last touch on the schemas: what `schemars` says of Rust that Kubernetes does not know.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// Drops `nullable` (the API server prunes nulls by itself) and number formats that Kubernetes warns about.
pub(crate) fn tidy(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            walk(schema, &mut |props| {
                props.nullable = None;
                if props.format.as_deref().is_some_and(|format| format.starts_with("uint")) {
                    props.format = None;
                }
            });
        }
    }
    definition
}

/// Calls `visit` on this schema and on all within.
fn walk(props: &mut JSONSchemaProps, visit: &mut impl FnMut(&mut JSONSchemaProps)) {
    visit(props);
    for inner in props.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        walk(inner, visit);
    }
    match props.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(inner)) => walk(inner, visit),
        Some(JSONSchemaPropsOrArray::Schemas(all)) => all.iter_mut().for_each(|inner| walk(inner, visit)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_field(check: impl Fn(&str, &JSONSchemaProps) -> Option<&'static str>) -> Vec<String> {
        fn visit(
            path: &str,
            props: &JSONSchemaProps,
            check: &impl Fn(&str, &JSONSchemaProps) -> Option<&'static str>,
            found: &mut Vec<String>,
        ) {
            if let Some(problem) = check(path, props) {
                found.push(format!("{path}: {problem}"));
            }
            for (name, inner) in props.properties.iter().flatten() {
                visit(&format!("{path}.{name}"), inner, check, found);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(inner)) = &props.items {
                visit(&format!("{path}[]"), inner, check, found);
            }
        }
        let mut found = Vec::new();
        for definition in crate::all() {
            for version in definition.spec.versions {
                let schema = version.schema.unwrap().open_api_v3_schema.unwrap();
                visit(&definition.spec.names.kind, &schema, &check, &mut found);
            }
        }
        found
    }

    #[test]
    fn every_field_has_a_description() {
        let found = every_field(|path, props| {
            (!path.ends_with("[]") && props.description.as_deref().is_none_or(|text| text.len() < 8))
                .then_some("no description; `kubectl explain` must teach")
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_list_map_and_string_has_a_maximum() {
        let found = every_field(|_, props| match props.type_.as_deref() {
            Some("string")
                if props.max_length.is_none() && props.enum_.is_none() && props.format.is_none() =>
            {
                Some("a string without a maximum length")
            }
            Some("array") if props.max_items.is_none() => Some("a list without a maximum"),
            Some("object") if props.additional_properties.is_some() && props.max_properties.is_none() => {
                Some("a map without a maximum")
            }
            _ => None,
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_kind_has_status_category_columns_and_a_doc() {
        for definition in crate::all() {
            let names = &definition.spec.names;
            let version = &definition.spec.versions[0];
            assert_eq!(names.categories.as_deref(), Some(&["keelway".to_owned()][..]), "{}", names.kind);
            assert!(version.subresources.as_ref().unwrap().status.is_some(), "{}", names.kind);
            let columns: Vec<_> = version
                .additional_printer_columns
                .iter()
                .flatten()
                .map(|c| c.name.as_str())
                // What answers requests shows where.
                .filter(|name| *name != "URL")
                .take(4)
                .collect();
            assert_eq!(columns, ["Ready", "Reason", "Runs", "Age"], "{}", names.kind);
        }
    }
}
