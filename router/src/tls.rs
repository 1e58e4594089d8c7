//! Certificates by the name that a client asks for (SNI), from files, exchanged without a restart.
//!
//! A folder holds `<any>.crt` with `<any>.key`, or folders with `tls.crt` and `tls.key` as Kubernetes mounts Secrets of
//! that type. Which names a certificate is for, it says itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadCertificate {
    file: String,
    why: String,
}

/// All certificates, by name.
#[derive(Debug, Default)]
pub struct Certificates {
    all: Vec<Known>,
    /// Indices by host; wildcards by what follows the `*.`.
    exact: HashMap<String, usize>,
    wildcard: HashMap<String, usize>,
}

/// A certificate, the file that it came from, and the names that it is for.
#[derive(Clone, Debug)]
struct Known {
    file: PathBuf,
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads a folder. One that is wrong stands in the way of no other: it is told of, and the one that was read from the
    /// same file `before` stays in its place, if there was one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn read(folder: &Path, before: &Self) -> std::io::Result<(Self, Vec<BadCertificate>)> {
        let (mut certificates, mut bad) = (Self::default(), Vec::new());
        let mut pairs = pairs(folder)?;
        pairs.sort();
        for (chain, key) in pairs {
            match read(&chain, &key) {
                Ok(known) => certificates.add(known),
                Err(why) => {
                    bad.push(BadCertificate { file: chain.display().to_string(), why });
                    before.all.iter().filter(|known| known.file == chain).cloned().for_each(|known| {
                        certificates.add(known);
                    });
                }
            }
        }
        Ok((certificates, bad))
    }

    fn add(&mut self, known: Known) {
        let index = self.all.len();
        for name in &known.names {
            let (map, key) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wildcard, rest),
                None => (&mut self.exact, name.as_str()),
            };
            map.entry(key.to_owned()).or_insert(index);
        }
        self.all.push(known);
    }

    /// The place of the certificate for a host; where none is for it, that of the first one.
    pub fn find(&self, host: &str) -> Option<usize> {
        let parent = || host.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
        let found = self.exact.get(host).or_else(parent).copied();
        found.or_else(|| (!self.all.is_empty()).then_some(0))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }
}

fn read(chain: &Path, key: &Path) -> Result<Known, String> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_file_iter(chain).map_err(|e| e.to_string())?.collect();
    let certs = certs.map_err(|error| error.to_string())?;
    let names = names(certs.first().ok_or("there is no certificate in it")?)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("its key: {error}"))?;
    let key = any_supported_type(&key).map_err(|error| format!("its key: {error}"))?;
    let certified = CertifiedKey::new(certs, key);
    certified.keys_match().map_err(|error| format!("the key is not this certificate's: {error}"))?;
    Ok(Known { file: chain.to_owned(), names, key: Arc::new(certified) })
}

/// The names of a certificate, in lower case.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let read = webpki::EndEntityCert::try_from(certificate).map_err(|error| error.to_string())?;
    let names: Vec<String> = read.valid_dns_names().map(str::to_ascii_lowercase).collect();
    if names.is_empty() { Err("it is for no host name (subjectAltName)".into()) } else { Ok(names) }
}

fn pairs(folder: &Path) -> std::io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let inside = path.join("tls.crt");
        if path.extension().is_some_and(|e| e == "crt") {
            let key = path.with_extension("key");
            pairs.push((path, key));
        } else if inside.is_file()
            && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."))
        {
            pairs.push((inside, path.join("tls.key")));
        }
    }
    Ok(pairs)
}

/// The newest certificates; rustls asks for each handshake.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<ArcSwap<Certificates>>);

impl Shelf {
    /// With these certificates on it.
    pub fn new(certificates: Certificates) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(certificates)))
    }

    /// Whether a connection that was made for one host may carry requests for another: both have the same certificate.
    pub fn is_shared(&self, made_for: &str, host: &str) -> bool {
        let newest = self.0.load();
        made_for == host || newest.find(made_for) == newest.find(host)
    }

    /// Exchanges all.
    pub fn exchange(&self, certificates: Certificates) {
        self.0.store(Arc::new(certificates));
    }

    /// What a listener needs: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// Never with the versions and ciphers that are built in; rustls asks.
    pub fn config(&self) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Follows the folder until the router stops.
    pub async fn follow(self, folder: PathBuf, mut stop: watch::Receiver<bool>) {
        let mut used = stamps(&folder);
        let mut seen = used.clone();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = stamps(&folder);
            // Two looks that show the same: a certificate and its key are two files.
            if now != used && now == seen {
                used.clone_from(&now);
                match Certificates::read(&folder, &self.0.load()) {
                    Ok((certificates, bad)) => {
                        bad.iter().for_each(|bad| {
                            crate::reload::tell(&format!("a certificate is not used: {bad}"));
                        });
                        crate::reload::tell(&format!("{} certificates are in use", certificates.count()));
                        self.exchange(certificates);
                    }
                    Err(error) => {
                        crate::reload::tell(&format!("the certificates before stay in use: {error}"));
                    }
                }
            }
            seen = now;
        }
    }
}

/// When each file was changed.
fn stamps(folder: &Path) -> Vec<(PathBuf, Option<SystemTime>)> {
    let mut pairs = pairs(folder).unwrap_or_default();
    pairs.sort();
    let modified = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    pairs
        .into_iter()
        .flat_map(|(chain, key)| [chain, key])
        .map(|path| (path.clone(), modified(&path)))
        .collect()
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let newest = self.0.load();
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        newest.find(&name).and_then(|index| newest.all.get(index)).map(|known| known.key.clone())
    }
}
