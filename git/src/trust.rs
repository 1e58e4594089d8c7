//! Which certificates an https host may show, per repository.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use crate::error::GitError;

/// The certificate authorities that one repository trusts: the public ones (Mozilla's list and the machine's own), and
/// what its Secret's `ca.crt` adds. Nothing is shared between repositories and no check can be turned off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trust {
    extra_ca_pem: Option<String>,
}

impl Trust {
    /// Only the public authorities.
    pub fn public() -> Self {
        Self::default()
    }

    /// The public authorities and those in `pem`.
    ///
    /// # Errors
    /// [`GitError::InvalidTrust`] if there is no certificate in it or one is damaged.
    pub fn with_ca(pem: &str) -> Result<Self, GitError> {
        let trust = Self { extra_ca_pem: Some(pem.to_owned()) };
        trust.extra()?;
        Ok(trust)
    }

    fn extra(&self) -> Result<Vec<CertificateDer<'static>>, GitError> {
        let Some(pem) = &self.extra_ca_pem else { return Ok(Vec::new()) };
        let invalid = |reason: String| GitError::InvalidTrust { reason };
        let found = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(error.to_string()))?;
        if found.is_empty() {
            return Err(invalid("there is no certificate in it".into()));
        }
        Ok(found)
    }

    pub(crate) fn identify(&self, hasher: &mut Sha256) {
        let pem = self.extra_ca_pem.as_deref().unwrap_or_default();
        hasher.update((pem.len() as u64).to_be_bytes());
        hasher.update(pem.as_bytes());
    }

    /// A TLS configuration for HTTP/1.1. `public` are the roots from [`public_roots`].
    pub(crate) fn tls(&self, public: &RootCertStore) -> Result<Arc<ClientConfig>, GitError> {
        let mut roots = public.clone();
        for certificate in self.extra()? {
            roots.add(certificate).map_err(|error| GitError::InvalidTrust { reason: error.to_string() })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| GitError::InvalidTrust { reason: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Mozilla's authorities and those installed on this machine; read once per process, as it takes a few milliseconds.
pub(crate) fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // What the machine has in addition is a help, not a need: a damaged file there must not stop every repository.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
