//! The values of the chart, as types: the schema that Helm checks, and the page that people read.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `helm install keelway charts/keelway` can be told.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Values {
    /// The operator's image.
    image: Image,
    /// Secrets with the credentials of the operator image's registry.
    image_pull_secrets: Vec<Name>,
    /// How many operator pods; one leads, the others stand by with warm caches.
    #[schemars(range(min = 1, max = 9))]
    replicas: u32,
    /// Requests and limits of the operator's pods, as in a Pod.
    resources: BTreeMap<String, Value>,
    /// Labels that the operator's node must have.
    node_selector: BTreeMap<String, String>,
    /// Taints that the operator's pods tolerate, as in a Pod.
    tolerations: Vec<Value>,
    /// How the operator logs.
    log: Log,
    /// Where traces go by OTLP over HTTP, as in `http://collector:4318`; empty for nowhere.
    otlp_endpoint: String,
    /// The names that `size:` may give, and what they mean.
    sizes: BTreeMap<String, Size>,
    /// The size of a process that names none.
    default_size: String,
    /// How git is read.
    git: Git,
    /// The service account, of the ConfigRepo's own namespace, for a ConfigRepo that names none. Empty: it must name one.
    default_service_account: String,
    /// Registries that are read over plain HTTP, as `host:port`. For test clusters.
    insecure_registries: Vec<String>,
    /// The HTTP edge in front of every environment.
    router: Router,
    /// The port on which push notifications arrive.
    webhook: Webhook,
    /// The definitions of Keelway's kinds.
    crds: Crds,
    /// The network policy of the operator's own pods.
    network_policy: Switch,
}

/// An image.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    /// Where it is, without tag.
    #[schemars(length(min = 1))]
    repository: String,
    /// Its tag; empty for the chart's appVersion.
    tag: String,
    /// Its digest, `sha256:…`; wins over the tag.
    #[schemars(regex(pattern = "^(sha256:[0-9a-f]{64})?$"))]
    digest: String,
    /// When the node pulls it.
    pull_policy: PullPolicy,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// A name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Name {
    /// The name.
    name: String,
}

/// How the operator logs.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Log {
    /// `json` for machines, `pretty` for people.
    format: LogFormat,
    /// What is logged, as in `info` or `info,operator::apply=debug`.
    level: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    Json,
    Pretty,
}

/// A size: requests and limits.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Size {
    /// What the scheduler sets aside.
    requests: Amounts,
    /// What the process may never exceed.
    limits: Amounts,
}

/// Amounts.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Amounts {
    /// CPU in cores, as in `500m`.
    #[serde(default)]
    cpu: Option<String>,
    /// Memory in bytes, as in `512Mi`.
    #[serde(default)]
    memory: Option<String>,
    /// Scratch space in bytes, as in `1Gi`.
    #[serde(default)]
    ephemeral_storage: Option<String>,
}

/// How git is read.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Git {
    /// Private address ranges (CIDR) in which git hosts may be. Loopback, link-local and private ranges are refused otherwise.
    allowed_addresses: Vec<String>,
    /// Whether `http://` repositories are allowed. Credentials are never sent over plain HTTP.
    allow_http: bool,
    /// How much disk the mirrors may take, as a quantity.
    cache_size: String,
}

/// The HTTP edge in front of every environment.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Router {
    /// Whether it is installed.
    enabled: bool,
    /// How many router pods.
    #[schemars(range(min = 1, max = 99))]
    replicas: u32,
    /// The address below which every Environment has a host of its own, as in `https://apps.example.com`; `*.apps.example.com`
    /// leads to the router by DNS. Empty: only the `domains` that Apps name answer, and no URLs are shown.
    #[schemars(regex(pattern = "^(https?://[a-z0-9.-]+(:[0-9]+)?)?$"))]
    public_url: String,
    /// The Service's type.
    service_type: ServiceType,
    /// Annotations of the Service, as a cloud's load balancer wants them.
    service_annotations: BTreeMap<String, String>,
    /// `Local` keeps the clients' addresses, `Cluster` spreads better; the cluster's default if left out.
    external_traffic_policy: Option<TrafficPolicy>,
    /// Networks that the load balancer lets in; all if left out.
    load_balancer_source_ranges: Vec<String>,
    /// The node port of HTTP, where the Service has one.
    node_port: Option<u16>,
    /// TLS Secrets of the release's namespace. With one or more the router answers HTTPS too, by SNI.
    tls_secrets: Vec<Name>,
    /// Networks whose `X-Forwarded-*` and `Forwarded` headers are believed.
    trusted_proxies: Vec<String>,
    /// Connections begin with a header of the PROXY protocol, and come from `trustedProxies` alone.
    proxy_protocol: bool,
    /// Connections of clients at a time per pod; others wait.
    max_connections: u32,
    /// One line per request: `logfmt` as Heroku's router writes it, `json`, or `off`.
    log: RouterLog,
    /// Requests and limits of the router's pods, as in a Pod.
    resources: BTreeMap<String, Value>,
}

/// Where a Service leads requests that come from outside.
#[derive(Serialize, Deserialize, JsonSchema)]
enum TrafficPolicy {
    /// To pods of any node.
    Cluster,
    /// To pods of the node that they come to.
    Local,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RouterLog {
    Logfmt,
    Json,
    Off,
}

/// The port on which push notifications arrive.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Webhook {
    /// The Service's type.
    service_type: ServiceType,
    /// The Service's port.
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum ServiceType {
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    NodePort,
    LoadBalancer,
}

/// The definitions of Keelway's kinds.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Crds {
    /// Whether the chart installs and upgrades them. They stay when the chart is uninstalled.
    install: bool,
}

/// On or off.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// Whether it is made.
    enabled: bool,
}

/// The schema that Helm checks values against.
pub fn schema() -> Value {
    let mut schema = schema_for!(Values).to_value();
    // Helm passes `global` down to every chart, whoever set it.
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert("global".into(), serde_json::json!({ "type": "object" }));
    }
    strip_formats(&mut schema);
    schema
}

/// `uint32` and the like are Rust's, and Helm warns about them.
fn strip_formats(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| {
                key != "format" || !value.as_str().is_some_and(|text| text.starts_with("uint"))
            });
            map.values_mut().for_each(strip_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_formats),
        _ => {}
    }
}

/// The page of all values.
pub fn page() -> String {
    let schema = schema();
    let mut text = String::from(
        "# Chart values\n\nGenerated from the types by `make generate`. The defaults stand in `charts/keelway/values.yaml`.\n\n\
         | value | what it says |\n|---|---|\n",
    );
    rows("", &schema, &schema, &mut text);
    text
}

fn rows(path: &str, node: &Value, root: &Value, text: &mut String) {
    let node = node
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| root.pointer(reference.trim_start_matches('#')))
        .unwrap_or(node);
    for (name, field) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if name == "global" {
            continue;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let says = field.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        *text += &format!("| `{path}` | {says} |\n");
        rows(&path, field, root, text);
        if let Some(each) = field.get("additionalProperties") {
            rows(&format!("{path}.<name>"), each, root, text);
        }
    }
}
