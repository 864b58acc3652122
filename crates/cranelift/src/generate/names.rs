//! Symbolic names while a function is built, and the artifact from what Cranelift made.

use super::GenerateError;
use crate::code::{Code, Convention, ErrorTables, FailSite, Fault, Reloc, RuntimeFn, Site, Target};
use cranelift_codegen::binemit::Reloc as RelocKind;
use cranelift_codegen::ir::{
    self, AbiParam, ExtFuncData, ExternalName, FuncRef, GlobalValue, GlobalValueData, LibCall,
    Signature, UserExternalName, types,
};
use cranelift_codegen::{CompiledCode, Final, FinalizedRelocTarget, MachBufferFinalized};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use worldage_dispatch::Ty;
use worldage_engine::persist::{Bytes, Packed};
use worldage_wir::ir::{Frame, Pos};

/// The tables of a [`Code`] that lowering fills in.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) strings: Vec<Arc<str>>,
    pub(crate) sites: Vec<Site>,
    pub(crate) failures: Vec<FailSite>,
    pub(crate) positions: Vec<Pos>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) params: Vec<Ty>,
    pub(crate) ret: Option<Ty>,
}

impl Tables {
    /// The number of a position; runs of one position share it.
    pub(crate) fn position(&mut self, pos: Pos) -> u32 {
        if self.positions.last() != Some(&pos) {
            self.positions.push(pos);
        }
        u32::try_from(self.positions.len() - 1).expect("fewer than 2^32 positions")
    }

    pub(crate) fn failure(&mut self, fault: Fault, pos: u32) -> i64 {
        self.failures.push(FailSite { fault, pos });
        i64::try_from(self.failures.len() - 1).expect("fewer than 2^63 failures")
    }

    /// What errors need: with these ranges, and no position but those that they or failures name.
    pub(crate) fn errors(&self, mut ranges: Vec<(u32, u32)>) -> Packed<ErrorTables> {
        let mut failures = self.failures.clone();
        let named = ranges.iter_mut().map(|(_, pos)| pos);
        let mut named: Vec<&mut u32> = named
            .chain(failures.iter_mut().map(|failure| &mut failure.pos))
            .filter(|pos| **pos != u32::MAX)
            .collect();
        named.sort_unstable();
        let mut positions: Vec<Pos> = Vec::new();
        let mut last = None;
        for pos in named {
            if last != Some(*pos) {
                positions.push(self.positions[*pos as usize]);
                last = Some(*pos);
            }
            *pos = u32::try_from(positions.len() - 1).expect("no more than there were");
        }
        Packed::new(&ErrorTables {
            failures: failures.into(),
            ranges: ranges.into(),
            positions: positions.into(),
            frames: self.frames.as_slice().into(),
        })
    }

    pub(crate) fn site(&mut self, site: Site) -> Target {
        self.sites.push(site);
        Target::Site(u32::try_from(self.sites.len() - 1).expect("fewer than 2^32 sites"))
    }

    pub(crate) fn string(&mut self, text: &Arc<str>) -> Target {
        let known = self.strings.iter().position(|s| s == text);
        let ix = known.unwrap_or_else(|| {
            self.strings.push(Arc::clone(text));
            self.strings.len() - 1
        });
        Target::Str(u32::try_from(ix).expect("fewer than 2^32 strings"))
    }
}

/// The positions of all calls: what traces ask for is where a frame will return to.
fn call_positions(buffer: &MachBufferFinalized<Final>) -> Vec<(u32, u32)> {
    let places = buffer.get_srclocs_sorted();
    let mut calls: Vec<(u32, u32)> = Vec::new();
    for site in buffer.call_sites() {
        let call = site.ret_addr - 1;
        let before = places.partition_point(|range| range.start <= call);
        let place = before.checked_sub(1).map(|ix| &places[ix]);
        let pos = match place.filter(|range| call < range.end && !range.loc.is_default()) {
            Some(range) => range.loc.bits(),
            None => u32::MAX,
        };
        if calls.last().is_none_or(|last| last.1 != pos) {
            calls.push((call, pos));
        }
    }
    calls
}

/// What the function under construction refers to, each once.
#[derive(Default)]
pub(crate) struct Names {
    targets: Vec<Target>,
    values: FxHashMap<Target, GlobalValue>,
    functions: FxHashMap<RuntimeFn, FuncRef>,
}

impl Names {
    pub(crate) fn clear(&mut self) {
        self.targets.clear();
        self.values.clear();
        self.functions.clear();
    }

    /// What the name of this number stands for.
    pub(crate) fn target(&self, index: u32) -> Target {
        self.targets[index as usize]
    }

    fn name(&mut self, func: &mut ir::Function, target: Target) -> ExternalName {
        let index = u32::try_from(self.targets.len()).expect("fewer than 2^32 names");
        self.targets.push(target);
        ExternalName::user(func.declare_imported_user_function(UserExternalName::new(0, index)))
    }

    /// A global whose address is what the loader puts there.
    pub(crate) fn global(&mut self, func: &mut ir::Function, target: Target) -> GlobalValue {
        if let Some(&value) = self.values.get(&target) {
            return value;
        }
        let name = self.name(func, target);
        let value = func.create_global_value(GlobalValueData::Symbol {
            name,
            offset: 0.into(),
            colocated: false,
            tls: false,
        });
        self.values.insert(target, value);
        value
    }

    /// A function of the run-time system.
    pub(crate) fn runtime(&mut self, func: &mut ir::Function, function: RuntimeFn) -> FuncRef {
        if let Some(&known) = self.functions.get(&function) {
            return known;
        }
        let name = self.name(func, Target::Runtime(function));
        let (params, result) = runtime_signature(function);
        let mut sig = Signature::new(crate::isa::HOST_CONV);
        sig.params
            .extend(params.iter().map(|&ty| AbiParam::new(ty)));
        sig.returns.extend(result.map(AbiParam::new));
        let signature = func.import_signature(sig);
        let data = ExtFuncData {
            name,
            signature,
            colocated: false,
            patchable: false,
        };
        let known = func.import_function(data);
        self.functions.insert(function, known);
        known
    }

    /// The artifact.
    pub(crate) fn code(
        &self,
        func: &ir::Function,
        compiled: &CompiledCode,
        tables: Tables,
    ) -> Result<Code, GenerateError> {
        let buffer = &compiled.buffer;
        let mut relocs = Vec::with_capacity(buffer.relocs().len());
        for reloc in buffer.relocs() {
            if reloc.kind != RelocKind::Abs8 {
                return Err(GenerateError(format!("relocation {:?}", reloc.kind)));
            }
            let (target, addend) = match &reloc.target {
                FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                    let index = func.params.user_named_funcs()[*name].index;
                    (self.targets[index as usize], reloc.addend)
                }
                FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => {
                    (Target::Runtime(library_call(*call)?), reloc.addend)
                }
                FinalizedRelocTarget::ExternalName(name) => {
                    return Err(GenerateError(format!("symbol {name:?}")));
                }
                FinalizedRelocTarget::Func(offset) => {
                    (Target::Own, reloc.addend + i64::from(*offset))
                }
            };
            relocs.push(Reloc {
                offset: reloc.offset,
                target,
                addend,
            });
        }
        Ok(Code {
            bytes: Bytes::copy_from_slice(compiled.code_buffer()),
            align: 64.min(buffer.alignment.max(16)),
            relocs: relocs.into(),
            strings: tables.strings.as_slice().into(),
            sites: tables.sites.as_slice().into(),
            tables: tables.errors(call_positions(buffer)),
            frame_size: buffer
                .frame_layout()
                .map_or(0, |layout| layout.frame_to_fp_offset),
            convention: Convention::Tail,
            ret: tables.ret.unwrap_or(Ty::BOTTOM),
            params: tables.params.as_slice().into(),
        })
    }
}

fn runtime_signature(function: RuntimeFn) -> (&'static [ir::Type], Option<ir::Type>) {
    use RuntimeFn::*;
    const I: ir::Type = types::I64;
    const D: ir::Type = types::F64;
    const S: ir::Type = types::F32;
    match function {
        Raise => (&[I, I], None),
        RaiseBounds => (&[I, I, I, I], None),
        RaiseType => (&[I, I, I], None),
        NewArray | Shared => (&[I, I, I], Some(I)),
        NewBox => (&[I, I], Some(I)),
        Resolve => (&[I, I, I, I], Some(I)),
        CallHost => (&[I, I, I, I, I], None),
        Print => (&[I, I, I], None),
        IsA => (&[I, I, I], Some(I)),
        FieldDyn | MakeTuple => (&[I, I, I, I], None),
        IndexDyn => (&[I, I, I], None),
        SetIndexDyn => (&[I, I], None),
        StrEq | PowInt => (&[I, I], Some(I)),
        Barrier => (&[I], None),
        Fmod64 | Pow64 => (&[D, D], Some(D)),
        Fmod32 | Pow32 => (&[S, S], Some(S)),
        Sin64 | Cos64 | Tan64 | Exp64 | Log64 | Floor64 | Ceil64 | Nearest64 | Trunc64 => {
            (&[D], Some(D))
        }
        Sin32 | Cos32 | Tan32 | Exp32 | Log32 | Floor32 | Ceil32 | Nearest32 | Trunc32 => {
            (&[S], Some(S))
        }
    }
}

fn library_call(call: LibCall) -> Result<RuntimeFn, GenerateError> {
    Ok(match call {
        LibCall::FloorF64 => RuntimeFn::Floor64,
        LibCall::CeilF64 => RuntimeFn::Ceil64,
        LibCall::NearestF64 => RuntimeFn::Nearest64,
        LibCall::TruncF64 => RuntimeFn::Trunc64,
        LibCall::FloorF32 => RuntimeFn::Floor32,
        LibCall::CeilF32 => RuntimeFn::Ceil32,
        LibCall::NearestF32 => RuntimeFn::Nearest32,
        LibCall::TruncF32 => RuntimeFn::Trunc32,
        other => return Err(GenerateError(format!("library call {other}"))),
    })
}
