//! Planted bugs, one at a time, for the tests that show that the crash matrix and the lease trials find such bugs.
//! Only with the feature `seeded-bugs`, which no image has.

use std::hash::{BuildHasher as _, Hasher as _};

use plan::{Manifest, Step};

/// The planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The inventory is not written before the objects are.
    InventoryLate,
    /// Objects are created under a name that differs each time.
    RandomName,
    /// Deletes hit whatever has the name.
    DeleteWithoutUid,
    /// Nobody asks for the lease.
    NoFence,
}

impl Bug {
    /// The bug that the environment names. Read anew each time: this is test code, and must not leak into settings.
    pub(crate) fn planted() -> Option<Self> {
        match std::env::var("KEELWAY_BUG").ok()?.as_str() {
            "inventory-late" => Some(Self::InventoryLate),
            "random-name" => Some(Self::RandomName),
            "delete-without-uid" => Some(Self::DeleteWithoutUid),
            "no-fence" => Some(Self::NoFence),
            _ => None,
        }
    }

    pub(crate) fn spoil(self, mut steps: Vec<Step>) -> Vec<Step> {
        match self {
            // The status that follows in the end holds the inventory too, but too late.
            Self::InventoryLate => {
                steps.retain(
                    |step| !matches!(step, Step::Status { object, .. } if object.kind == "ConfigRepo"),
                );
                steps
            }
            Self::RandomName => {
                for step in &mut steps {
                    if let Step::Apply(manifest) | Step::Make(manifest) | Step::Create(manifest) = step {
                        rename(manifest);
                    }
                }
                steps
            }
            Self::DeleteWithoutUid | Self::NoFence => steps,
        }
    }
}

fn rename(manifest: &mut Manifest) {
    if manifest.key().kind != "ConfigMap" {
        return;
    }
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let name = format!("{}-{random:x}", manifest.key().name);
    if let Some(field) = manifest.value_mut().pointer_mut("/metadata/name") {
        *field = name.into();
    }
}
