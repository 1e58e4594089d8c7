//! Many Environments, each with the slice of its process `web`.

use std::net::UdpSocket;

use anyhow::{Context as _, Result};
use crds::Environment;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

/// Writes at a time.
const AT_ONCE: usize = 32;

pub(crate) struct Fleet {
    client: Client,
    namespace: String,
    routes: usize,
}

impl Fleet {
    /// So many Environments, all of whose slices lead to this port of this machine.
    pub(crate) async fn new(routes: usize, port: u16) -> Result<Self> {
        let client = Client::try_default().await.context("finding the cluster")?;
        let namespace = format!("bench-effect-{}", std::process::id());
        let made: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &made).await?;
        let fleet = Self { client, namespace, routes };
        let address = own_address()?;
        let make = |which| fleet.make(which, &address, port);
        futures::stream::iter((0..routes).map(make))
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(fleet)
    }

    pub(crate) fn routes(&self) -> usize {
        self.routes
    }

    async fn make(&self, which: usize, address: &str, port: u16) -> Result<()> {
        let environment: Environment = serde_json::from_value(json!({
            "apiVersion": "keelway.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name(which)},
            "spec": {"app": format!("app-{which}"), "stage": "production", "suspend": true,
                "image": {"requested": "a:1", "resolved": "a:1"}, "config": {"processes": [{"name": "web"}]}},
        }))?;
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": {"name": name(which), "labels": {"app.kubernetes.io/managed-by": "keelway",
                "kubernetes.io/service-name": format!("{}-web", name(which))}},
            "addressType": "IPv4", "ports": [{"port": port}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
        }))?;
        let post = PostParams::default();
        Api::namespaced(self.client.clone(), &self.namespace).create(&post, &environment).await?;
        self.slices().create(&post, &slice).await?;
        Ok(())
    }

    fn slices(&self) -> Api<EndpointSlice> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// One of them leads to this port from now on.
    pub(crate) async fn lead_to(&self, which: usize, port: u16) -> Result<()> {
        let patch = Patch::Merge(json!({"ports": [{"port": port}]}));
        self.slices().patch(&name(which), &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Takes everything away.
    pub(crate) async fn done(&self) -> Result<()> {
        Api::<Namespace>::all(self.client.clone()).delete(&self.namespace, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// The host of one of them.
pub(crate) fn host(which: usize) -> String {
    format!("app-{which}.bench.localhost")
}

fn name(which: usize) -> String {
    format!("app-{which}-production")
}

/// An address of this machine that is not the loopback's: a slice may not have that one. Nothing is sent.
fn own_address() -> Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("192.0.2.1:9").context("this machine has no address but the loopback's")?;
    Ok(socket.local_addr()?.ip().to_string())
}
