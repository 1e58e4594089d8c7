//! Compares the rights that the operator used, by the audit log of the local cluster, with those that the chart grants.
//! Run it after all tests: a right that no test used is one too many, or one that no test covers.

#![expect(clippy::print_stdout, reason = "it is a command line program")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use e2e::setting;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;

/// The operator's account, as the audit log names it.
const OPERATOR: &str = "system:serviceaccount:keelway-system:keelway";
/// The chart's rules of the operator.
const FILES: [&str; 2] = ["rules-operator.yaml", "rules-operator-own-namespace.yaml"];

/// Group, resource (with its subresource) and verb.
type Right = (String, String, String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    user: User,
    #[serde(default)]
    impersonated_user: Option<User>,
    #[serde(default)]
    object_ref: Option<Object>,
    #[serde(default)]
    response_status: Option<Status>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
}

/// The rights that a line of the audit log shows as used; requests made as a tenant's account do not count.
fn used_by(entry: &Entry) -> Vec<Right> {
    let Some(object) = &entry.object_ref else { return Vec::new() };
    let status = entry.response_status.as_ref().map_or(0, |status| status.code);
    if entry.user.username != OPERATOR || entry.impersonated_user.is_some() || status == 403 {
        return Vec::new();
    }
    let resource = match object.subresource.as_str() {
        "" => object.resource.clone(),
        subresource => format!("{}/{subresource}", object.resource),
    };
    let right = |verb: &str| (object.api_group.clone(), resource.clone(), verb.to_owned());
    // A server-side apply that creates needs the right to create beside the one to patch.
    let creates = (entry.verb == "patch" && status == 201).then(|| right("create"));
    [Some(right(&entry.verb)), creates].into_iter().flatten().collect()
}

fn used(log: &Path) -> anyhow::Result<BTreeSet<Right>> {
    let file = std::fs::File::open(log).with_context(|| format!("open the audit log {}", log.display()))?;
    let mut used = BTreeSet::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        if line.contains(OPERATOR) {
            // The last line may be half written.
            used.extend(serde_json::from_str(&line).map(|entry| used_by(&entry)).unwrap_or_default());
        }
    }
    Ok(used)
}

fn granted() -> anyhow::Result<BTreeSet<Right>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/keelway/files");
    let mut granted = BTreeSet::new();
    for file in FILES {
        let text = std::fs::read_to_string(folder.join(file)).with_context(|| format!("read {file}"))?;
        for rule in serde_saphyr::from_str::<Vec<PolicyRule>>(&text)? {
            for group in rule.api_groups.iter().flatten() {
                for resource in rule.resources.iter().flatten() {
                    granted.extend(
                        rule.verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())),
                    );
                }
            }
        }
    }
    Ok(granted)
}

fn main() -> anyhow::Result<()> {
    let (granted, used) = (granted()?, used(Path::new(&setting("AUDIT_LOG")?))?);
    let words = |(group, resource, verb): &Right| {
        let group = if group.is_empty() { "core" } else { group };
        format!("{verb} {resource} ({group})")
    };
    let surplus: Vec<_> = granted.difference(&used).map(words).collect();
    println!("rights: {} granted, {} of them used", granted.len(), granted.len() - surplus.len());
    anyhow::ensure!(
        surplus.is_empty(),
        "granted and never used by any test: {}; take them out of generate/src/rbac.rs, or test what needs them",
        surplus.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(line: &str) -> Vec<String> {
        used_by(&serde_json::from_str(line).unwrap())
            .into_iter()
            .map(|(g, r, v)| format!("{g} {r} {v}"))
            .collect()
    }

    #[test]
    fn a_created_apply_counts_twice_and_what_was_done_as_somebody_else_does_not() {
        let line = |more: &str, code: u16| {
            format!(
                r#"{{"verb":"patch","user":{{"username":"{OPERATOR}"}},{more}"objectRef":{{"apiGroup":"apps","resource":"deployments"}},"responseStatus":{{"code":{code}}}}}"#
            )
        };
        assert_eq!(rights(&line("", 201)), ["apps deployments patch", "apps deployments create"]);
        assert_eq!(rights(&line("", 200)), ["apps deployments patch"]);
        assert!(rights(&line("", 403)).is_empty());
        assert!(rights(&line(r#""impersonatedUser":{"username":"x"},"#, 200)).is_empty());
    }
}
