//! A compiler whose stages are C functions: sources, results and code are bytes.

use crate::mention::Mentions;
use crate::names::{Context, Count, Instance, Type};
use crate::question::EXTERNAL;
use crate::stage::{self, Given, Running};
use crate::status::{Error, Status};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, PoisonError, RwLock};
use worldage::embed::{
    CodegenCx, Compiler, Decl, DeclId, DeclKind, ExternalKey, Fact, InferCx, LinkCx, Linked,
    MachineTarget as Target, Malformed, Mi, Part, PartDigest, Portable, Reader, Stop, Summarize,
    Symbol, Ty, TyKind, Types, Writer, digest_of, fingerprint_of,
};

/// A stage: it is given bytes (infer the method's source, codegen what infer gave, link what
/// codegen gave), asks its context for everything else, gives its result with `wa_give_…` or
/// fails with `wa_fail`, and returns `Ok`, or the status of a question that was not `Ok`.
///
/// It may run on any thread, on several at once, more than once, and must be a pure function of
/// its input and what its context told it. It must not leave by `longjmp` or an exception.
///
/// The bytes that it gives hold no pointer and none of this process's numbers: they name
/// instances and types by `wa_mention_instance` and `wa_mention_type`.
pub type StageFunction = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        context: Context,
        instance: Instance,
        input: *const u8,
        length: usize,
    ) -> Status,
>;

/// The stages of a compiler.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Stages {
    /// Given to each function.
    pub user: *mut c_void,
    /// Source to inferred bytes and a summary (`wa_give_inferred`).
    pub infer: StageFunction,
    /// Inferred bytes to code (`wa_give_code`).
    pub codegen: StageFunction,
    /// Code to an entry (`wa_give_entry`).
    pub link: StageFunction,
    /// Told of each entry that nothing calls any more, with what link gave beside it; may be null.
    pub unlink:
        Option<unsafe extern "C" fn(user: *mut c_void, entry: *const c_void, data: *mut c_void)>,
}

// SAFETY: that its functions may run on any thread is a law of the interface.
unsafe impl Send for Stages {}
// SAFETY: as above: several at once.
unsafe impl Sync for Stages {}

/// The stages with what is known of their session.
pub(crate) struct Foreign {
    pub(crate) stages: Stages,
    pub(crate) lattice: Arc<Types>,
    types: RwLock<Vec<Ty>>,
    type_count: Count,
    /// Declarations by name, all that there were.
    declared: RwLock<HashMap<Symbol, Vec<DeclId>>>,
    pub(crate) instances: Count,
}

impl Foreign {
    /// Of a session with this number.
    pub(crate) fn new(stages: Stages, lattice: Arc<Types>, session: u64) -> Foreign {
        Foreign {
            stages,
            lattice,
            types: RwLock::new(vec![Ty::ANY]),
            type_count: Count::new(session, 1),
            declared: RwLock::default(),
            instances: Count::new(session, 0),
        }
    }

    /// The type with this name.
    pub(crate) fn ty(&self, ty: Type) -> Result<Ty, Error> {
        let index = self.type_count.index(ty)?;
        let known = self.types.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known[index as usize])
    }

    /// The name of a type, a new one if it has none.
    pub(crate) fn name_of(&self, ty: Ty) -> Type {
        let mut known = self.types.write().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|other| *other == ty);
        let at = at.unwrap_or_else(|| {
            known.push(ty);
            known.len() - 1
        });
        let at = u32::try_from(at).expect("fewer than 2^32 types");
        self.type_count.name(at)
    }

    pub(crate) fn tys(&self, named: &[Type]) -> Result<Vec<Ty>, Error> {
        named.iter().map(|ty| self.ty(*ty)).collect()
    }

    /// The tuple of these types.
    pub(crate) fn tuple(&self, named: &[Type]) -> Result<Ty, Error> {
        let tuple = self.lattice.try_tuple(&self.tys(named)?, None);
        tuple.map_err(Error::invalid)
    }

    /// Declares a type, also under a known name.
    pub(crate) fn declare(&self, decl: Decl) -> Result<Type, Error> {
        let name = decl.name;
        let declared = self.lattice.declare(decl).map_err(Error::invalid)?;
        let mut all = self
            .declared
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.entry(name).or_default().push(declared);
        Ok(self.name_of(self.lattice.leaf(declared)))
    }

    /// The declaration of this name, if it is the only one.
    fn only(&self, name: Symbol) -> Option<DeclId> {
        let all = self.declared.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(&name)?[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// Bytes that a stage gave, with what they mention.
#[derive(PartialEq)]
pub(crate) struct Written {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) mentions: Arc<Mentions>,
}

impl Portable for Written {
    fn write(&self, w: &mut Writer<'_>) {
        self.mentions.write(w);
        w.bytes(&self.bytes);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Written {
            mentions: Arc::new(Mentions::read(r)?),
            bytes: r.bytes()?.into(),
        })
    }
}

/// What infer gave: bytes for codegen, and for callers.
#[derive(PartialEq)]
pub(crate) struct Inferred {
    pub(crate) body: Written,
    summary: Seen,
}

/// Bytes for callers, and the tuple of the types that they mention.
#[derive(Clone, PartialEq)]
struct Seen {
    bytes: Arc<[u8]>,
    types: Ty,
}

/// What callers see; nothing is known of an instance that is being inferred.
#[derive(Clone, PartialEq)]
pub(crate) struct Summary(Option<Seen>);

/// The bytes of a summary.
pub(crate) const SUMMARY: Part<Summary, Option<Arc<[u8]>>> = Part {
    index: 0,
    name: "summary",
    get: |summary| summary.0.as_ref().map(|seen| Arc::clone(&seen.bytes)),
};

/// The tuple of the types that a summary mentions.
pub(crate) const SUMMARY_TYPES: Part<Summary, Option<Ty>> = Part {
    index: 1,
    name: "types",
    get: |summary| summary.0.as_ref().map(|seen| seen.types),
};

impl Summarize<Inferred> for Summary {
    const PARTS: &'static [PartDigest<Summary>] = &[
        PartDigest {
            name: SUMMARY.name,
            digest: |summary| digest_of(&(SUMMARY.get)(summary)),
        },
        PartDigest {
            name: SUMMARY_TYPES.name,
            digest: |summary| digest_of(&(SUMMARY_TYPES.get)(summary)),
        },
    ];

    fn of(inferred: &Inferred) -> Summary {
        Summary(Some(inferred.summary.clone()))
    }

    fn bottom() -> Summary {
        Summary(None)
    }
}

/// An entry, until nothing calls it.
pub(crate) struct Entry {
    stages: Stages,
    entry: *const c_void,
    data: *mut c_void,
}

// SAFETY: the pointers are C's; what it is told of them it may be told on any thread.
unsafe impl Send for Entry {}
// SAFETY: nothing is read or written through them.
unsafe impl Sync for Entry {}

impl Linked for Entry {
    fn entry(&self) -> usize {
        self.entry as usize
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(unlink) = self.stages.unlink {
            // SAFETY: C gave the function for this.
            unsafe { unlink(self.stages.user, self.entry, self.data) };
        }
    }
}

impl Compiler for Foreign {
    type Source = Arc<[u8]>;
    type Inferred = Inferred;
    type Summary = Summary;
    type Code = Written;
    type Linked = Entry;
    type Shard = String;

    fn infer(
        &self,
        cx: &mut InferCx<'_, Self>,
        mi: Mi,
        source: &Arc<[u8]>,
    ) -> Result<Inferred, Stop> {
        let running = stage::run(self, self.stages.infer, Running::infer(cx, mi), source)?;
        let Given::Inferred { body, summary } = running.given else {
            return Err(without_result("infer"));
        };
        let types = self.lattice.try_tuple(&running.summary_types, None);
        Ok(Inferred {
            body: Written {
                bytes: body,
                mentions: Arc::new(running.mentions),
            },
            summary: Seen {
                bytes: summary,
                types: types.map_err(|error| Stop::failed(error.to_string()))?,
            },
        })
    }

    fn codegen(
        &self,
        cx: &mut CodegenCx<'_, Self>,
        mi: Mi,
        inferred: &Arc<Inferred>,
    ) -> Result<Written, Stop> {
        let running = Running::codegen(cx, mi, &inferred.body);
        let input = &inferred.body.bytes;
        let running = stage::run(self, self.stages.codegen, running, input)?;
        match running.given {
            Given::Code(bytes) => Ok(Written {
                bytes,
                mentions: Arc::new(running.mentions),
            }),
            _ => Err(without_result("codegen")),
        }
    }

    fn link(&self, cx: &mut LinkCx<'_, Self>, mi: Mi, code: &Arc<Written>) -> Result<Entry, Stop> {
        let running = Running::link(cx, mi, code);
        match stage::run(self, self.stages.link, running, &code.bytes)?.given {
            Given::Entry { entry, data } => Ok(Entry {
                stages: self.stages,
                entry,
                data,
            }),
            _ => Err(without_result("link")),
        }
    }

    fn type_part(&self, part: usize, summary: &Summary) -> Option<Ty> {
        match part == SUMMARY_TYPES.index {
            true => (SUMMARY_TYPES.get)(summary),
            false => None,
        }
    }

    /// Name, kind and parent are all that the library knows of a type.
    fn decl_identity(&self, decl: DeclId) -> Option<u64> {
        let declared = self.lattice.decl(decl);
        self.only(declared.name)?;
        let parent = match self.lattice.kind(declared.parent) {
            TyKind::Nominal { decl, .. } => Some(self.decl_identity(*decl)?),
            _ => None,
        };
        let is_abstract = declared.kind == DeclKind::Abstract;
        let name = self.lattice.symbol_str(declared.name);
        Some(digest_of(&(name, is_abstract, parent)))
    }

    fn find_decl(&self, name: &str, _: Fact<'_>) -> Option<DeclId> {
        self.only(self.lattice.symbol(name))
    }

    fn source_identity(&self, source: &Arc<[u8]>) -> Option<[u8; 32]> {
        Some(fingerprint_of(source))
    }

    fn external_kinds(&self) -> &[&'static str] {
        &[EXTERNAL]
    }

    fn external_identity(&self, _: &ExternalKey, value: &[u8]) -> Option<u64> {
        Some(digest_of(value))
    }

    fn write_inferred(&self, inferred: &Inferred, w: &mut Writer<'_>) {
        inferred.body.write(w);
        w.bytes(&inferred.summary.bytes);
        inferred.summary.types.write(w);
    }

    fn read_inferred(&self, r: &mut Reader<'_>) -> Result<Inferred, Malformed> {
        Ok(Inferred {
            body: Written::read(r)?,
            summary: Seen {
                bytes: r.bytes()?.into(),
                types: Ty::read(r)?,
            },
        })
    }

    /// What more code depends on is said by the shard's name and by the producer.
    fn target(&self, _: &String) -> Option<Target> {
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        Some(Target {
            name: arch.to_string(),
            details: format!("{arch} {os}"),
        })
    }

    fn write_code(&self, code: &Written, w: &mut Writer<'_>) {
        code.write(w);
    }

    fn read_code(&self, r: &mut Reader<'_>) -> Result<Written, Malformed> {
        Written::read(r)
    }
}

fn without_result(stage: &str) -> Stop {
    Stop::failed(format!(
        "{stage} returned without a result: see the `wa_give_` functions"
    ))
}
