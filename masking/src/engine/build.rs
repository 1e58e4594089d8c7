//! Decisions to maskers: everything that can be made once per table.

use std::collections::BTreeMap;

use super::cell::ValueMask;
use super::codec::Codec;
use super::condition::Test;
use super::json::JsonMasker;
use super::table::{Plan, SubjectKey, TemplatePiece, Work, Worker};
use super::template::{self, Piece};
use super::{Secrets, Wire};
use crate::decisions::{ColumnDecision, Decision, Decisions, EngineMask, Subject};
use crate::key::{DomainKey, MasterKey};
use crate::mask::{Build, Masker, Words};
use crate::policy::{Leaf, Mask, Otherwise};
use crate::schema::{Type, TypeKind};

/// Everything that building one table's maskers needs.
pub(super) struct Builder<'a> {
    pub(super) decisions: &'a Decisions,
    pub(super) copied: Vec<&'a ColumnDecision>,
    pub(super) wire: Wire,
    pub(super) secrets: &'a Secrets,
    /// Keys by domain, so that HKDF runs once for each.
    pub(super) keys: BTreeMap<String, DomainKey>,
}

impl Builder<'_> {
    /// The plan, or the column and what is wrong with it.
    pub(super) fn plan(&mut self) -> Result<Plan, (String, String)> {
        let mut plan = Plan { width: self.copied.len(), workers: Vec::new(), subjects: Vec::new() };
        for field in 0..self.copied.len() {
            let column = self.copied[field];
            if let Decision::Engine(engine) = &column.decision {
                let worker = self.worker(field, column, engine, &mut plan.subjects);
                plan.workers.push(worker.map_err(|why| (column.column.name.clone(), why))?);
            }
        }
        // Templates read what the others made.
        plan.workers.sort_by_key(|w| matches!(w.work, Work::Template(..)));
        Ok(plan)
    }

    fn worker(
        &mut self,
        field: usize,
        column: &ColumnDecision,
        engine: &EngineMask,
        subjects: &mut Vec<SubjectKey>,
    ) -> Result<Worker, String> {
        let subject = engine.subject.as_ref().map(|s| self.subject(s, subjects)).transpose()?;
        let gender = engine.gender.as_deref().map(|name| self.reader(name)).transpose()?;
        let tests = engine.when.iter().map(|condition| {
            let (at, column) = self.find(&condition.column)?;
            Test::new(condition, &column.column, at, self.wire)
        });
        let tests = tests.collect::<Result<Vec<_>, String>>()?;
        Ok(Worker {
            field,
            name: column.column.name.clone(),
            work: self.work(column, engine)?,
            tests,
            otherwise: engine.otherwise.unwrap_or(Otherwise::Nullify),
            random: engine.random,
            subject,
            gender,
        })
    }

    fn work(&mut self, column: &ColumnDecision, engine: &EngineMask) -> Result<Work, String> {
        let ty = column.ty();
        let key = self.key(&engine.domain, engine.needs_key())?;
        match &engine.mask {
            Mask::Null(_) => Ok(Work::Null),
            Mask::Json(options) => {
                let jsonb = matches!(ty.base().kind, TypeKind::Jsonb);
                let keys = key.clone();
                let mut build =
                    |leaf: &Leaf, codec| self.masker(leaf, json_type(), codec, key.clone(), engine);
                JsonMasker::new(options, jsonb, self.wire, keys, &mut build).map(Box::new).map(Work::Json)
            }
            Mask::Composite(options) => {
                let TypeKind::Composite { fields } = &ty.base().kind else {
                    return Err("the mask `composite` works on composite types only".to_owned());
                };
                let mut masks = Vec::new();
                for field in fields {
                    let leaf =
                        options.fields.iter().find(|f| f.name == field.name).and_then(|f| f.mask.as_ref());
                    // What lies within a composite travels as text on either wire.
                    masks.push(
                        leaf.map(|l| self.value(l, &field.ty, Wire::Text, key.clone(), engine))
                            .transpose()?,
                    );
                }
                Ok(Work::Composite(masks))
            }
            Mask::Template(options) => {
                let codec = Codec::new(ty, self.wire).ok_or("the mask `template` works on texts only")?;
                let pieces = template::parse(&options.text)?.into_iter().map(|piece| match piece {
                    Piece::Text(text) => Ok(TemplatePiece::Text(text)),
                    Piece::Column(name) => {
                        self.reader(&name).map(|(at, codec)| TemplatePiece::Field(at, codec))
                    }
                });
                Ok(Work::Template(pieces.collect::<Result<_, String>>()?, codec))
            }
            mask => {
                let leaf = mask
                    .leaf()
                    .ok_or_else(|| format!("the mask `{}` does not run in the engine", mask.name()))?;
                self.value(&leaf, ty, self.wire, key, engine).map(Box::new).map(Work::Value)
            }
        }
    }

    fn value(
        &self,
        leaf: &Leaf,
        ty: &Type,
        wire: Wire,
        key: DomainKey,
        engine: &EngineMask,
    ) -> Result<ValueMask, String> {
        let codec = Codec::new(ty, wire)
            .ok_or_else(|| format!("the mask `{}` cannot read type {}", leaf.name(), ty.name))?;
        let masker = self.masker(leaf, ty, codec, key, engine)?;
        Ok(ValueMask { codec, masker, array: ty.is_array(), wire })
    }

    fn masker(
        &self,
        leaf: &Leaf,
        ty: &Type,
        codec: Codec,
        key: DomainKey,
        engine: &EngineMask,
    ) -> Result<Masker, String> {
        let (shortest, fold_case) = (engine.max, engine.fold_case);
        let words = Words {
            locale: self.decisions.locale,
            email_domain: self.decisions.email_domain.clone(),
            max: codec.max.into_iter().chain(shortest).min().map(|max| max as usize),
        };
        Masker::new(leaf, Build { ty, codec, words, key, fold_case })
    }

    /// The key of a domain; masks without need of the master key may do with the seed.
    fn key(&mut self, domain: &str, needed: bool) -> Result<DomainKey, String> {
        let Some(master) = &self.secrets.master else {
            return if needed { Err(NO_KEY.to_owned()) } else { Ok(DomainKey::new(&self.secrets.seed)) };
        };
        let version = self.decisions.key_version;
        let derive = |master: &MasterKey| master.domain(domain, version);
        Ok(self.keys.entry(domain.to_owned()).or_insert_with(|| derive(master)).clone())
    }

    fn find(&self, name: &str) -> Result<(usize, &ColumnDecision), String> {
        let at = self.copied.iter().position(|c| c.column.name == name);
        at.and_then(|at| Some((at, *self.copied.get(at)?)))
            .ok_or_else(|| format!("the row's column `{name}` is not copied, so it cannot be read"))
    }

    fn reader(&self, name: &str) -> Result<(usize, Codec), String> {
        let (at, column) = self.find(name)?;
        let codec = Codec::new(column.ty(), self.wire).filter(|_| !column.ty().is_array());
        codec
            .map(|codec| (at, codec))
            .ok_or_else(|| format!("`{name}` of type {} cannot be read", column.ty().name))
    }

    fn subject(&mut self, subject: &Subject, subjects: &mut Vec<SubjectKey>) -> Result<usize, String> {
        let (field, codec) = self.reader(&subject.column)?;
        let key = self.key(&subject.domain, true)?;
        if let Some(at) = subjects.iter().position(|s| s.field == field) {
            return Ok(at);
        }
        subjects.push(SubjectKey { field, codec, key, fold_case: subject.fold_case });
        Ok(subjects.len() - 1)
    }
}

/// What is said where a key is missing; [`super::TableMasker::new`] turns it into [`super::MaskError::NoKey`].
pub(super) const NO_KEY: &str = "no key";

/// The type that values within JSON are taken for.
fn json_type() -> &'static Type {
    static TEXT: std::sync::LazyLock<Type> =
        std::sync::LazyLock::new(|| Type { name: "text".to_owned(), kind: TypeKind::Text { max: None } });
    &TEXT
}
