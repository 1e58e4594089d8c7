//! Where what runs came from: the commit and the image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::Image;

/// Where a piece of code or YAML came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// The commit's sha, 40 hex digits.
    #[schemars(length(max = 64))]
    pub sha: String,
    /// Who wrote it, as `Name <mail>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub author: Option<String>,
    /// The first line of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub subject: Option<String>,
    /// When it was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
}

/// An image as it is deployed: by digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedImage {
    /// The image as it was asked for, with its tag.
    pub requested: Image,
    /// The image by digest: `repository@sha256:…`. This is what runs.
    pub resolved: Image,
}
