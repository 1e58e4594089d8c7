//! The environment variables of a container.

use std::collections::BTreeMap;

use crds::env;
use crds::workload::Config;
use k8s_openapi::api::core::v1::{
    ConfigMapEnvSource, ConfigMapKeySelector, EnvFromSource, EnvVar, EnvVarSource, SecretEnvSource,
    SecretKeySelector,
};

use crate::environment::names::Scope;

/// The variables, later ones winning: the App's, the process's, then ours.
///
/// Ours say which App, environment, release and commit a process belongs to, and `web` gets `PORT`.
pub fn variables(scope: Scope<'_>, component: &str, own: &[env::EnvVar], port: Option<u16>) -> Vec<EnvVar> {
    let plain =
        |name: &str, value: String| EnvVar { name: name.into(), value: Some(value), value_from: None };
    let mut ours = vec![
        plain("KEELWAY_APP", scope.environment.spec.app.clone()),
        plain("KEELWAY_ENVIRONMENT", scope.name()),
        plain("KEELWAY_PROCESS", component.to_owned()),
        plain("KEELWAY_RELEASE", format!("v{}", scope.origin())),
    ];
    ours.extend(port.map(|port| plain("PORT", port.to_string())));

    let written = scope.release.spec.config.env.iter().chain(own).map(variable);
    let mut order = Vec::new();
    let mut by_name = BTreeMap::new();
    for variable in written.chain(ours) {
        if !by_name.contains_key(&variable.name) {
            order.push(variable.name.clone());
        }
        by_name.insert(variable.name.clone(), variable);
    }
    order.iter().filter_map(|name| by_name.remove(name)).collect()
}

fn variable(var: &env::EnvVar) -> EnvVar {
    let name = var.name.as_str().to_owned();
    match &var.value_from {
        None => {
            EnvVar { name, value: Some(escaped(var.value.as_deref().unwrap_or_default())), value_from: None }
        }
        Some(from) => EnvVar { name, value: None, value_from: Some(source(from)) },
    }
}

fn source(from: &env::ValueFrom) -> EnvVarSource {
    EnvVarSource {
        secret_key_ref: from.secret_key_ref.as_ref().map(|key| SecretKeySelector {
            name: key.name.as_str().into(),
            key: key.key.as_str().into(),
            optional: Some(key.optional),
        }),
        config_map_key_ref: from.config_map_key_ref.as_ref().map(|key| ConfigMapKeySelector {
            name: key.name.as_str().into(),
            key: key.key.as_str().into(),
            optional: Some(key.optional),
        }),
        ..EnvVarSource::default()
    }
}

/// The value as Kubernetes must be told it: it turns `$(X)` into another variable's value and `$$` into `$`.
fn escaped(value: &str) -> String {
    if value.contains("$(") || value.contains("$$") { value.replace('$', "$$") } else { value.to_owned() }
}

/// The Secrets and ConfigMaps whose every key becomes a variable.
pub fn sources(config: &Config) -> Vec<EnvFromSource> {
    let source = |from: &env::EnvFrom| EnvFromSource {
        prefix: from.prefix.as_ref().map(|prefix| prefix.as_str().into()),
        secret_ref: from
            .secret_ref
            .as_ref()
            .map(|secret| SecretEnvSource { name: secret.name.as_str().into(), optional: None }),
        config_map_ref: from
            .config_map_ref
            .as_ref()
            .map(|map| ConfigMapEnvSource { name: map.name.as_str().into(), optional: None }),
    };
    config.env_from.iter().map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kubernetes makes of a value (third_party/forked/golang/expansion), with no variable defined.
    fn expanded(value: &str) -> String {
        let mut out = String::new();
        let mut chars = value.chars().peekable();
        while let Some(c) = chars.next() {
            out.push(c);
            if c == '$' && chars.peek() == Some(&'$') {
                chars.next();
            }
        }
        out
    }

    #[test]
    fn a_value_arrives_as_it_was_written() {
        for value in ["", "a", "$(HOME)", "pa$$word", "pa$word", "$", "$$", "$$(X)", "a$", "x$$$y$(Z)$"] {
            let told = escaped(value);
            assert_eq!(expanded(&told), value, "{told}");
            // No `$(` may be left that is not escaped: an even number of `$` stands before every `(`.
            for (at, _) in told.match_indices('(') {
                let dollars = told[..at].chars().rev().take_while(|c| *c == '$').count();
                assert_eq!(dollars % 2, 0, "{told}");
            }
        }
    }
}
