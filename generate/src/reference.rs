//! A page for each kind, from its schema.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// The first sentence of what a kind is.
pub fn summary(definition: &CustomResourceDefinition) -> String {
    let text = schema(definition).and_then(|schema| schema.description.clone()).unwrap_or_default();
    text.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

/// The page of a kind: what it is, then a table of its fields, spec first.
pub fn page(definition: &CustomResourceDefinition) -> String {
    let names = &definition.spec.names;
    let version = definition.spec.versions.first().map_or("", |version| version.name.as_str());
    let mut text = format!("# {}\n\nGenerated from the types by `make generate`.\n\n", names.kind);
    text += &format!("`apiVersion: {}/{version}`, `kind: {}`", definition.spec.group, names.kind);
    if let Some(short) = names.short_names.as_ref().filter(|short| !short.is_empty()) {
        text += &format!(", short: `{}`", short.join("`, `"));
    }
    text += "\n\n";
    let Some(schema) = schema(definition) else { return text };
    text += schema.description.as_deref().unwrap_or_default();
    text += "\n";
    for part in ["spec", "status"] {
        let Some(props) = schema.properties.as_ref().and_then(|properties| properties.get(part)) else {
            continue;
        };
        text += &format!("\n## {part}\n\n| field | type | what it says |\n|---|---|---|\n");
        rows(part, props, &mut text);
        let mut rules = Vec::new();
        collect_rules(part, props, &mut rules);
        if !rules.is_empty() {
            text += "\nThe API server refuses what breaks these rules:\n\n";
            text += &rules.concat();
        }
    }
    text
}

fn schema(definition: &CustomResourceDefinition) -> Option<&JSONSchemaProps> {
    definition.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()
}

fn rows(path: &str, props: &JSONSchemaProps, text: &mut String) {
    let required = props.required.clone().unwrap_or_default();
    for (name, field) in props.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let mut says = field.description.clone().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        if required.contains(name) {
            says = format!("**Required.** {says}");
        }
        if let Some(default) = &field.default {
            says += &format!(" Default: `{}`.", default.0);
        }
        *text += &format!("| `{path}` | {} | {says} |\n", type_of(field));
        match &field.items {
            Some(JSONSchemaPropsOrArray::Schema(item)) => rows(&format!("{path}[]"), item, text),
            _ => rows(&path, field, text),
        }
    }
}

fn type_of(field: &JSONSchemaProps) -> String {
    if let Some(values) = &field.enum_ {
        return values
            .iter()
            .map(|value| format!("`{}`", value.0))
            .collect::<Vec<_>>()
            .join(", ")
            .replace('"', "");
    }
    match (&field.type_, &field.items) {
        (Some(kind), Some(JSONSchemaPropsOrArray::Schema(item))) if kind == "array" => {
            let most = field.max_items.map(|most| format!(" (≤{most})")).unwrap_or_default();
            format!("list of {}{most}", item.type_.as_deref().unwrap_or("any"))
        }
        (Some(kind), _) => match (field.minimum, field.maximum) {
            (Some(least), Some(most)) => format!("{kind} {least}–{most}"),
            _ => kind.clone(),
        },
        _ => "any".to_owned(),
    }
}

fn collect_rules(path: &str, props: &JSONSchemaProps, rules: &mut Vec<String>) {
    for rule in props.x_kubernetes_validations.iter().flatten() {
        rules.push(format!("- `{path}`: {}\n", rule.message.as_deref().unwrap_or(&rule.rule)));
    }
    for (name, field) in props.properties.iter().flatten() {
        collect_rules(&format!("{path}.{name}"), field, rules);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &props.items {
        collect_rules(&format!("{path}[]"), item, rules);
    }
}
