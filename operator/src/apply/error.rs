//! What an error of the API server means: whose move it is, and the cure in words.

use crds::Reason;
use kube::core::Status;
use plan::{ObjectKey, Refusal};

use crate::apply::identity::Identity;

/// The longest text of the API server that is passed on, in characters.
const MESSAGE_MAX: usize = 1_500;

/// What was tried, for the message.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    verb: &'static str,
    key: &'a ObjectKey,
    identity: &'a Identity,
}

impl<'a> Attempt<'a> {
    /// A request of this verb, made under this identity.
    pub fn new(verb: &'static str, key: &'a ObjectKey, identity: &'a Identity) -> Self {
        Self { verb, key, identity }
    }

    /// A read by the operator itself.
    pub fn get(key: &'a ObjectKey) -> Self {
        Self::new("get", key, &Identity::OPERATOR)
    }
}

/// Turns an error of the client into a refusal that names object, verb, account and cure.
pub fn refusal(error: &kube::Error, attempt: &Attempt<'_>) -> Refusal {
    match error {
        kube::Error::Api(status) => of_status(status, attempt),
        other => Refusal::transient(format!(
            "{}: no answer from the API server ({}); it is tried again",
            attempt.key,
            kind_of(other)
        )),
    }
}

/// The kind of a client error, without the data that it carries: that may be the body of a Secret.
fn kind_of(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::HyperError(_) | kube::Error::Service(_) => "connection failed",
        kube::Error::FromUtf8(_) | kube::Error::SerdeError(_) => "its answer could not be read",
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => "the request could not be built",
        kube::Error::Auth(_) => "credentials could not be had",
        _ => "client error",
    }
}

fn of_status(status: &Status, attempt: &Attempt<'_>) -> Refusal {
    let Attempt { verb, key, identity } = attempt;
    let said = said(status, key);
    match status.code {
        401 => Refusal::transient(format!(
            "{key}: the API server knows the operator's credentials no more; they are read anew"
        )),
        403 => forbidden(status, attempt, &said),
        404 => {
            Refusal::transient(format!("{key}: {said}; create what is missing, then it goes on by itself"))
        }
        409 => Refusal::transient(format!("{key}: it changed meanwhile ({said}); it is looked at again")),
        400 | 413 | 415 | 422 => Refusal::needs_user(
            Reason::Refused,
            format!("{key} was refused: {said}; mend that and commit again"),
        ),
        405 => Refusal::needs_user(Reason::Unsupported, format!("the cluster cannot {verb} {key}: {said}")),
        // An unknown field of a server-side apply comes as 500 from some versions, though no repetition helps.
        500 if is_schema(status) => Refusal::needs_user(
            Reason::Refused,
            format!("{key} was refused: {said}; mend that and commit again"),
        ),
        429 | 500..=599 => Refusal::transient(format!(
            "{key}: the API server is busy or failing ({said}); it is tried again"
        )),
        code => Refusal::transient(format!(
            "{key}: {verb} as {identity} ended with {code} ({said}); it is tried again"
        )),
    }
}

fn is_schema(status: &Status) -> bool {
    status.message.contains("failed to create typed patch object")
        || status.message.contains("field not declared in schema")
}

fn forbidden(status: &Status, attempt: &Attempt<'_>, said: &str) -> Refusal {
    let Attempt { verb, key, identity } = attempt;
    if has_cause(status, "NamespaceTerminating") {
        return Refusal::transient(format!("{key}: its namespace is being deleted; it is tried again"));
    }
    if status.message.contains("cannot impersonate") {
        let cure = may_impersonate(&status.message, identity);
        return Refusal::needs_user(
            Reason::AccountMissing,
            format!("the operator may not act as {identity}; allow it in that namespace: {cure}"),
        );
    }
    if status.message.contains(" cannot ") {
        return Refusal::needs_user(
            Reason::Forbidden,
            format!("{identity} may not {verb} {key}; grant it by a Role and a RoleBinding ({said})"),
        );
    }
    Refusal::needs_user(Reason::Refused, format!("{key} was refused by a policy of the cluster: {said}"))
}

/// The command that lets the operator act as the service accounts of one namespace. The chart brings the role.
fn may_impersonate(message: &str, identity: &Identity) -> String {
    let user =
        message.split_once("User \"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(user, _)| user);
    let operator = user.strip_prefix("system:serviceaccount:").unwrap_or("keelway-system:keelway");
    let name = operator.split_once(':').map_or(operator, |(_, name)| name);
    let namespace = identity.account().map_or("", |(namespace, _)| namespace);
    format!(
        "kubectl create rolebinding keelway -n {namespace} --clusterrole={name}-impersonator --serviceaccount={operator}"
    )
}

fn has_cause(status: &Status, reason: &str) -> bool {
    status.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
}

/// What the API server said. Of a Secret only the fields are named: a message may repeat their values.
fn said(status: &Status, key: &ObjectKey) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    if key.kind == "Secret" && key.group().is_empty() {
        let fields: Vec<_> = causes.map(|cause| format!("{} {}", cause.reason, cause.field)).collect();
        return match (fields.is_empty(), status.code) {
            (true, 403) => status.message.chars().take(MESSAGE_MAX).collect(),
            (true, _) => status.reason.clone(),
            (false, _) => fields.join(", "),
        };
    }
    let text = if status.message.is_empty() { &status.reason } else { &status.message };
    text.chars().take(MESSAGE_MAX).collect()
}

/// The field managers that a conflict of server-side apply names; empty for any other error.
pub(crate) fn conflicting_managers(error: &kube::Error) -> Vec<String> {
    let kube::Error::Api(status) = error else { return Vec::new() };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| status.code == 409 && cause.reason == "FieldManagerConflict")
        .filter_map(|cause| cause.message.split('"').nth(1).map(str::to_owned))
        .collect()
}

/// A failed request: the refusal, and what some callers take for an answer.
pub(crate) struct Failure {
    /// Whose move it is.
    pub(crate) refusal: Refusal,
    /// The object is not there.
    pub(crate) missing: bool,
    /// Who holds fields that a server-side apply wanted.
    pub(crate) managers: Vec<String>,
}

impl Failure {
    /// Whether the object is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }

    /// What the plan hears.
    pub(crate) fn into_refusal(self) -> Refusal {
        self.refusal
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, missing: false, managers: Vec::new() }
    }
}

/// An object of this name exists, with fields that these managers set.
pub(crate) fn taken(key: &ObjectKey, managers: &[String]) -> Refusal {
    let mut managers = managers.to_vec();
    managers.sort_unstable();
    managers.dedup();
    let managers = managers.join(", ");
    let message = format!(
        "{key} is there already and not Keelway's ({managers} set it); delete it, or choose another name for the App or the process"
    );
    Refusal::needs_user(Reason::OwnedByAnother, message)
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
