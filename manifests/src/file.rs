//! One file in, its documents out.

use serde_json::Value;

use crate::limits::Limits;
use crate::node::Node;
use crate::problem::{Place, Problem};
use crate::{sops, yaml};

/// What to say of a file that cannot be read.
const CURE: &str = "mend it, or list it in .keelwayignore if it is not meant for the cluster";

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// YAML, perhaps several documents.
    Yaml,
    /// JSON, one document.
    Json,
    /// Input of kustomize or Helm, which is not rendered.
    Template,
    /// Anything else.
    Other,
}

impl FileKind {
    /// By the last part of the path.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name {
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" | "Chart.yaml" | "Chart.lock" => {
                Self::Template
            }
            _ => match name.rsplit_once('.').map(|(_, extension)| extension) {
                Some("yaml" | "yml") => Self::Yaml,
                Some("json") => Self::Json,
                _ => Self::Other,
            },
        }
    }
}

/// One object of the repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The line of the file on which the document begins, from 1.
    pub line: usize,
    /// The object; it has apiVersion, kind and metadata.name.
    pub json: Value,
    /// Whether the file is encrypted in the repository.
    pub encrypted: bool,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Its objects, in order.
    pub documents: Vec<Document>,
    /// Documents that are none: without apiVersion and kind.
    pub not_objects: u32,
    /// Its scalars, lists and maps, aliases expanded.
    pub nodes: usize,
}

/// Reads one file of kind YAML or JSON. `identities` are the age keys, where the ConfigRepo has some.
///
/// # Errors
/// [`Problem`] when a cap is passed, the text is not YAML or JSON, an object lacks a part, or decryption fails.
pub fn parse(
    path: &str,
    bytes: &[u8],
    limits: &Limits,
    identities: Option<&sops::Identities>,
) -> Result<Parsed, Problem> {
    let whole = |message: String| Problem::new(Place::new(path, 0), message);
    if bytes.len() as u64 > limits.file_bytes {
        return Err(too_large(path, bytes.len() as u64, limits));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole(format!("the file is not UTF-8; {CURE}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut nodes = match FileKind::of(path) {
        FileKind::Json => read_json(path, text)?,
        _ => read_yaml(path, text, limits)?,
    };
    let count = nodes.iter().map(|(_, node)| node.count()).sum();
    if count > limits.nodes {
        return Err(whole(format!(
            "the file has {count} values and at most {} are read; split it",
            limits.nodes
        )));
    }
    let encrypted = sops::is_encrypted(&nodes);
    if encrypted {
        sops::decrypt(&mut nodes, identities).map_err(|error| whole(error.to_string()))?;
    }
    let mut parsed = Parsed { nodes: count, ..Parsed::default() };
    for (line, node) in nodes {
        collect(path, line, node.into_json(), encrypted, &mut parsed)?;
    }
    Ok(parsed)
}

/// A file that is larger than what is read; it can be said before its bytes are.
pub fn too_large(path: &str, bytes: u64, limits: &Limits) -> Problem {
    let message = format!(
        "the file has {bytes} bytes and at most {} are read; split it, or list it in .keelwayignore",
        limits.file_bytes
    );
    Problem::new(Place::new(path, 0), message)
}

fn read_yaml(path: &str, text: &str, limits: &Limits) -> Result<Vec<(usize, Node)>, Problem> {
    let chunks = yaml::documents(text);
    if chunks.len() > limits.documents_per_file {
        let message = format!(
            "the file has {} documents and at most {} are read; split it",
            chunks.len(),
            limits.documents_per_file
        );
        return Err(Problem::new(Place::new(path, 0), message));
    }
    let mut left = limits.nodes;
    let mut nodes = Vec::with_capacity(chunks.len());
    for chunk in &chunks {
        let node = yaml::parse(path, chunk, limits, left)?;
        left = left.saturating_sub(node.count());
        nodes.push((chunk.first_line(), node));
    }
    Ok(nodes)
}

fn read_json(path: &str, text: &str) -> Result<Vec<(usize, Node)>, Problem> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let node = serde_json::from_str::<Node>(text).map_err(|error| {
        // The parser's own words may quote a value; only what it says of keys and syntax is passed on.
        let words = match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => format!("this is not JSON (column {})", error.column()),
        };
        let words = words.split(" at line ").next().unwrap_or_default().to_owned();
        Problem::new(Place::new(path, error.line()), format!("{words}; {CURE}"))
    })?;
    Ok(vec![(1, node)])
}

/// Takes the objects out of a document; a `List` is taken apart.
fn collect(path: &str, line: usize, json: Value, encrypted: bool, into: &mut Parsed) -> Result<(), Problem> {
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let missing = |what: &str| {
        let message = format!("the object has no {what}; add it, or list the file in .keelwayignore");
        Err(Problem::new(Place::new(path, line), message))
    };
    match (text("/apiVersion"), text("/kind")) {
        (None, None) => {
            into.not_objects += u32::from(!json.is_null());
            return Ok(());
        }
        (None, Some(_)) => return missing("apiVersion"),
        (Some(_), None) => return missing("kind"),
        (Some("v1"), Some("List")) => {
            let Value::Object(mut list) = json else { return Ok(()) };
            let Some(Value::Array(items)) = list.remove("items") else { return missing("items") };
            for item in items {
                if item.get("kind").and_then(Value::as_str) == Some("List") {
                    return Err(Problem::new(
                        Place::new(path, line),
                        "a List within a List is not read; write it flat",
                    ));
                }
                collect(path, line, item, encrypted, into)?;
            }
            return Ok(());
        }
        (Some(_), Some(_)) => {}
    }
    if text("/metadata/name").is_none() {
        return if text("/metadata/generateName").is_some() {
            missing("metadata.name (metadata.generateName would make a new object each time)")
        } else {
            missing("metadata.name")
        };
    }
    into.documents.push(Document { line, json, encrypted });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Result<Parsed, String> {
        parse(path, text.as_bytes(), &Limits::default(), None).map_err(|problem| problem.to_string())
    }

    #[test]
    fn files_are_known_by_their_names() {
        for (path, kind) in [
            ("a/b.yaml", FileKind::Yaml),
            ("b.yml", FileKind::Yaml),
            ("b.json", FileKind::Json),
            ("a/kustomization.yaml", FileKind::Template),
            ("a/Chart.yaml", FileKind::Template),
            ("README.md", FileKind::Other),
            (".yaml/readme", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn documents_that_are_no_objects_are_counted_and_lists_are_taken_apart() {
        let text = "a: 1\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n---\n# nothing\n";
        let parsed = read("x.yaml", text).unwrap();
        assert_eq!((parsed.documents.len(), parsed.not_objects), (2, 1));
        assert_eq!(parsed.documents[1].json["metadata"]["name"], "b");
        assert_eq!(parsed.documents[1].line, 3);
    }

    #[test]
    fn half_an_object_is_a_mistake_with_a_cure() {
        for (text, what) in [
            ("kind: A\nmetadata: {name: a}\n", "apiVersion"),
            ("apiVersion: v1\nmetadata: {name: a}\n", "kind"),
            ("apiVersion: v1\nkind: A\n", "metadata.name"),
            ("apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n", "generateName"),
        ] {
            let error = read("x.yaml", text).unwrap_err();
            assert!(error.starts_with("x.yaml:1: the object has no") && error.contains(what), "{error}");
        }
    }

    #[test]
    fn json_is_read_and_its_duplicate_keys_are_refused() {
        let text = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "😀"}, "data": {"a": "\ud83d\ude00"}}"#;
        assert_eq!(read("x.json", text).unwrap().documents[0].json["data"]["a"], "😀");
        let error = read("x.json", "{\"a\": 1,\n\"a\": 2}").unwrap_err();
        assert!(error.starts_with("x.json:2: the key \"a\" stands twice"), "{error}");
        let error = read("x.json", "{\"password\": hunter2}").unwrap_err();
        assert!(error.contains("this is not JSON") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_file_of_50_mib_is_refused_by_its_size() {
        let error = read("big.yaml", &"#".repeat(50 * 1024 * 1024)).unwrap_err();
        assert!(error.starts_with("big.yaml: the file has 52428800 bytes and at most 4194304"), "{error}");
    }

    #[test]
    fn many_small_alias_documents_weigh_together() {
        let document =
            |n: usize| format!("---\na: &a [{}]\nb: [{}]\n", ["x"; 50].join(","), vec!["*a"; n].join(","));
        assert!(read("few.yaml", &document(100).repeat(10)).is_ok());
        let error = read("many.yaml", &document(100).repeat(30)).unwrap_err();
        assert!(error.contains("the file has more than the 100000 values"), "{error}");
    }

    #[test]
    fn too_many_documents_are_refused() {
        let error = read("many.yaml", &"---\na: 1\n".repeat(2_001)).unwrap_err();
        assert!(error.contains("2001 documents and at most 2000"), "{error}");
    }
}
