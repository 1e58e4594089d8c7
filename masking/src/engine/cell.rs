//! One value through one mask: decode, tag, mask, encode. Arrays go element by element.

use super::codec::{Codec, Unpacked};
use super::value::{Made, Value};
use super::{Wire, nested};
use crate::draw::Fresh;
use crate::key::Tag;
use crate::locale::Gender;
use crate::mask::{Input, Masker, Refused};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Null,
    Same,
    /// It was appended to the output.
    Written,
}

/// Buffers that are used again for every value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) canonical: Vec<u8>,
    pub(crate) text: String,
    pub(crate) found: Vec<u8>,
    pub(crate) unpacked: Unpacked,
}

/// What a row gives to the masks of its values.
pub(crate) struct Context<'r> {
    pub(crate) scratch: &'r mut Scratch,
    pub(crate) fresh: &'r mut Fresh,
    pub(crate) random: bool,
    pub(crate) person: Option<Tag>,
    pub(crate) gender: Option<Gender>,
}

impl Context<'_> {
    /// Masks a decoded value; texts are left in the scratch's `text`.
    pub(crate) fn make(&mut self, masker: &Masker, value: Value<'_>) -> Result<Made, Refused> {
        let Scratch { canonical, text, found, unpacked: _ } = &mut *self.scratch;
        canonical.clear();
        let wanted = !self.random && masker.wants_tag(self.person.is_some());
        let text_form = masker.permutes() && matches!(value, Value::Text(_) | Value::Decimal(_));
        if wanted || text_form {
            value.canonical(masker.folds_case(), canonical);
        }
        let tag = match (self.random, wanted) {
            (true, _) => self.fresh.tag(),
            (false, true) => masker.tag(canonical),
            (false, false) => [0; 32],
        };
        let person = if self.random { tag } else { self.person.unwrap_or(tag) };
        text.clear();
        let input = Input { value, canonical, tag, person, gender: self.gender };
        masker.make(&input, found, text)
    }
}

/// A mask over single values or arrays of them.
#[derive(Clone)]
pub(crate) struct ValueMask {
    pub(crate) codec: Codec,
    pub(crate) masker: Masker,
    pub(crate) array: bool,
    pub(crate) wire: Wire,
}

impl ValueMask {
    /// Masks the raw value and appends the masked one to `out`.
    pub(crate) fn apply(
        &self,
        raw: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Refused> {
        if !self.array {
            return self.apply_one(raw, context, out);
        }
        let mut one = |element: &[u8], out: &mut Vec<u8>| self.apply_one(element, context, out);
        match self.wire {
            Wire::Binary => nested::binary_array(raw, out, &mut one),
            Wire::Text => nested::text_array(raw, out, &mut one),
        }
    }

    fn apply_one(
        &self,
        raw: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Refused> {
        // What the value may lie in leaves the context for the call, so that the context itself can be lent.
        let mut unpacked = std::mem::take(&mut context.scratch.unpacked);
        let made = match self.codec.decode(raw, &mut unpacked) {
            Some(value) => context.make(&self.masker, value),
            None => Err(
                "the value is none of its type (is the encoding UTF-8, and are the COPY's columns in order?)",
            ),
        };
        let outcome = made.and_then(|made| self.write(&made, &context.scratch.text, out));
        context.scratch.unpacked = unpacked;
        outcome
    }

    fn write(&self, made: &Made, text: &str, out: &mut Vec<u8>) -> Result<Outcome, Refused> {
        match made {
            Made::Null => Ok(Outcome::Null),
            Made::Same => Ok(Outcome::Same),
            Made::Literal(index) => {
                out.extend_from_slice(self.masker.literal(*index));
                Ok(Outcome::Written)
            }
            made => {
                let written = self.codec.encode(made, text, out);
                written.map(|()| Outcome::Written).ok_or("the masked value does not fit the column's type")
            }
        }
    }
}
