//! The Service of `web`.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::WEB;
use super::probe::PORT_NAME;
use crate::environment::names::{self, Scope};

/// Port 80 leads to the port of `web` by name: while a release changes its number, each pod gets its own.
pub fn service(scope: Scope<'_>) -> Service {
    let mut metadata = scope.meta(names::child(&scope.name(), WEB), WEB);
    // The Service is the same for every release.
    if let Some(labels) = &mut metadata.labels {
        labels.remove(crds::names::RELEASE);
    }
    Service {
        metadata,
        spec: Some(ServiceSpec {
            selector: Some(scope.selector(WEB)),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.into()),
                port: 80,
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String(PORT_NAME.into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
