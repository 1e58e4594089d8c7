//! An image's name, taken apart as containerd does.

use crds::text::Image;

/// The registry of names that have none.
const DEFAULT: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry as people name it, with its port.
    pub registry: String,
    /// The host that answers for it, with its port.
    pub host: String,
    /// The repository within the registry.
    pub repository: String,
    /// The tag; `latest` where none is given.
    pub tag: String,
}

impl Reference {
    /// Takes a name apart. What stands before the first `/` is a registry if it looks like a host.
    pub fn parse(image: &Image) -> Self {
        let name = image.repository();
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest.to_owned())
            }
            Some(_) => (DEFAULT.0, name.to_owned()),
            None => (DEFAULT.0, format!("library/{name}")),
        };
        let host = if registry == DEFAULT.0 { DEFAULT.1 } else { registry };
        let tag = image.tag().unwrap_or("latest");
        Self { registry: registry.into(), host: host.into(), repository, tag: tag.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_containerd_does() {
        let parts = |name: &str| {
            let reference = Reference::parse(&Image::new(name).unwrap());
            [reference.registry, reference.host, reference.repository, reference.tag].join(" ")
        };
        assert_eq!(parts("nginx"), "docker.io registry-1.docker.io library/nginx latest");
        assert_eq!(parts("acme/shop:2"), "docker.io registry-1.docker.io acme/shop 2");
        assert_eq!(parts("r.example.com:5000/a/b/c:1.4"), "r.example.com:5000 r.example.com:5000 a/b/c 1.4");
        assert_eq!(parts("localhost/a"), "localhost localhost a latest");
    }
}
