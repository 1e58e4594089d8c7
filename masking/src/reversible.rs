//! Which masks need the key, and who can undo them: the one place that says so, for the report and the docs.

use crate::decisions::{EngineMask, Reversible};
use crate::policy::{Leaf, Mask, UnknownPath};
use crate::types::{Family, Type};

impl Leaf {
    /// Draws from the key (unless `random`).
    pub(crate) fn keyed(&self) -> bool {
        !matches!(
            self,
            Self::Null(_) | Self::Constant(_) | Self::Password(_) | Self::Partial(_) | Self::Generalize(_)
        )
    }

    /// Who can get from the masked value to the original.
    pub fn reversible(&self, ty: &Type) -> Reversible {
        match self {
            Self::Id(_) if ty.family() == Family::Text => Reversible::No,
            Self::Id(_)
            | Self::Uuid(_)
            | Self::Digits(_)
            | Self::Phone(_)
            | Self::Zip(_)
            | Self::Card(_)
            | Self::Iban(_)
            | Self::DateShift(_) => Reversible::ByKeyHolder,
            Self::Partial(_) | Self::Generalize(_) | Self::Noise(_) => Reversible::Partly,
            Self::Email(options) if options.keep_domain => Reversible::Partly,
            _ => Reversible::No,
        }
    }
}

impl EngineMask {
    /// The mask draws from the master key.
    pub fn needs_key(&self) -> bool {
        if self.random {
            return false;
        }
        match &self.mask {
            Mask::Json(json) => {
                json.paths.iter().any(|p| p.mask_keys || p.mask.as_ref().is_some_and(Leaf::keyed))
            }
            Mask::Composite(composite) => {
                composite.fields.iter().any(|f| f.mask.as_ref().is_some_and(Leaf::keyed))
            }
            Mask::Template(_) | Mask::Default(_) | Mask::Shuffle(_) => false,
            mask => mask.leaf().is_some_and(|leaf| leaf.keyed()),
        }
    }

    /// Who can get from a masked value to the original.
    pub fn reversible(&self, ty: &Type) -> Reversible {
        let worst = |all: &mut dyn Iterator<Item = Reversible>| {
            all.max_by_key(|r| match r {
                Reversible::No => 0,
                Reversible::ByKeyHolder => 1,
                Reversible::Partly => 2,
                Reversible::Open => 3,
            })
        };
        if self.otherwise == Some(crate::policy::Otherwise::Keep) {
            return Reversible::Partly;
        }
        match &self.mask {
            Mask::Json(json) => {
                let unknown = (json.unknown == UnknownPath::Keep).then_some(Reversible::Partly);
                let paths = json.paths.iter().map(|p| match &p.mask {
                    Some(leaf) => leaf.reversible(ty),
                    None => Reversible::Partly,
                });
                worst(&mut paths.chain(unknown)).unwrap_or(Reversible::No)
            }
            Mask::Composite(composite) => {
                let fields = composite
                    .fields
                    .iter()
                    .map(|f| f.mask.as_ref().map_or(Reversible::Partly, |m| m.reversible(ty)));
                worst(&mut fields.into_iter()).unwrap_or(Reversible::No)
            }
            Mask::Shuffle(_) => Reversible::Partly,
            // A template shows masked values only, each with a line of its own in the report.
            Mask::Template(_) | Mask::Default(_) => Reversible::No,
            // Drawn afresh: nothing leads back, whatever the mask would do with a key.
            mask => mask.leaf().map_or(Reversible::No, |leaf| match leaf.reversible(ty) {
                Reversible::ByKeyHolder if self.random => Reversible::No,
                other => other,
            }),
        }
    }
}
