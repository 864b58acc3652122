//! Typed SSA to PTX: the pipeline of one kernel.
//!
//! Reading order: this file (the module), `function` (signatures, blocks), `ops` (operations, what
//! follows where one fails), `prim` (scalar operations), `helpers` (functions that the text brings
//! along), `libdevice` (Nvidia's library), `launch` (on CUDA devices, with the feature `cuda`).
//!
//! Invariants: the text is a function of the module, the target, the level and libdevice alone;
//! nothing is fused or reassociated; a work-item that fails writes the number of the site into the
//! error words and ends (a barrier waits for those only that have not ended).

mod function;
mod helpers;
#[cfg(feature = "cuda")]
mod launch;
mod libdevice;
mod ops;
mod prim;

use crate::passes::{self, OptLevel};
use crate::target::PtxTarget;
use crate::toolkit::Toolkit;
use function::Emit;
use helpers::Helper;
use inkwell::context::Context;
use inkwell::module::{Linkage, Module as LlvmModule};
use inkwell::targets::FileType;
use libdevice::Libdevice;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use worldage_dispatch::Ty;
use worldage_engine::{Mi, portable};
use worldage_wir::ast::NodeId;
use worldage_wir::device::{self, Elem, FailKind, FailSite, Leaf, NoData};
use worldage_wir::ir::{Body, Op, Pos};
use worldage_wir::layout::Layouts;
use worldage_wir::module::{Module, Unsupported, trace};

/// The portable artifact of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// PTX, complete.
    pub ptx: String,
    /// The name of the entry.
    pub entry: String,
    /// What it was made for.
    pub target: PtxTarget,
    /// The types of the arguments.
    pub params: Vec<Ty>,
    /// What the kernel is given for each argument, in order.
    pub leaves: Vec<Vec<Leaf>>,
    /// For each array among them, whether the kernel may write it.
    pub written: Vec<bool>,
    /// What can fail: the kernel writes the number of one, counted from 1, into its error words.
    pub sites: Vec<FailSite>,
}

portable!(struct Code { ptx, entry, target, params, leaves, written, sites });

/// Makes PTX; shared by all threads.
pub struct Generator {
    layouts: Arc<Layouts>,
    folder: Option<PathBuf>,
    toolkit: OnceLock<Toolkit>,
    libdevice: OnceLock<Libdevice>,
    /// Nanoseconds that LLVM has worked, all threads together.
    in_llvm: AtomicU64,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator")
            .field("toolkit", &self.toolkit.get())
            .finish_non_exhaustive()
    }
}

impl Generator {
    /// A generator for a universe's types; `toolkit` is the folder of CUDA's toolkit, looked for
    /// in the usual places if it is not given.
    #[must_use]
    pub fn new(layouts: Arc<Layouts>, toolkit: Option<PathBuf>) -> Generator {
        Generator {
            layouts,
            folder: toolkit,
            toolkit: OnceLock::new(),
            libdevice: OnceLock::new(),
            in_llvm: AtomicU64::new(0),
        }
    }

    /// The toolkit, found when it is first asked for.
    pub fn toolkit(&self) -> &Toolkit {
        self.toolkit.get_or_init(|| match &self.folder {
            Some(folder) => Toolkit::within(folder),
            None => Toolkit::find(),
        })
    }

    fn libdevice(&self) -> &Libdevice {
        self.libdevice
            .get_or_init(|| Libdevice::new(self.toolkit().libdevice.clone()))
    }

    /// What PTX depends on beside the kernel and the target: a part of every store key.
    pub fn description(&self, opt: OptLevel) -> String {
        let (major, minor, patch) = inkwell::support::get_llvm_version();
        let libdevice = self.libdevice().digest();
        format!(
            "llvm {major}.{minor}.{patch} {} libdevice {libdevice}",
            opt.pipeline()
        )
    }

    /// How long LLVM itself has worked on PTX, all threads together: reading the text, linking
    /// libdevice, optimising, and writing PTX.
    pub fn time_in_llvm(&self) -> Duration {
        Duration::from_nanos(self.in_llvm.load(Ordering::Relaxed))
    }

    /// Makes the PTX of a kernel. Law: a pure function of its arguments and libdevice.
    ///
    /// # Errors
    /// What a device cannot do, with its place; a function of libdevice where that is not.
    pub fn generate(
        &self,
        target: PtxTarget,
        opt: OptLevel,
        module: &Module,
    ) -> Result<Code, Unsupported> {
        let written = self.written(module)?;
        let begun = Instant::now();
        let context = Context::create();
        let machine = passes::nvptx(target.name(), opt);
        let compiled = self.optimised(&context, &written, opt, &machine);
        let buffer = machine.write_to_memory_buffer(&compiled, FileType::Assembly);
        let buffer = buffer.unwrap_or_else(|error| panic!("LLVM makes no PTX: {error}"));
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.in_llvm.fetch_add(took, Ordering::Relaxed);
        let ptx = String::from_utf8_lossy(buffer.as_slice());
        let entry = module.entry();
        Ok(Code {
            ptx: ptx.trim_end_matches('\0').to_string(),
            entry: written.entry,
            target,
            params: entry.params.clone(),
            leaves: written.leaves,
            written: device::writes::written(&self.layouts, module),
            sites: written.sites,
        })
    }

    /// LLVM's text of a kernel after optimisation: what PTX is made of.
    ///
    /// # Errors
    /// Like [`Generator::generate`].
    pub fn llvm(
        &self,
        target: PtxTarget,
        opt: OptLevel,
        module: &Module,
    ) -> Result<String, Unsupported> {
        let written = self.written(module)?;
        let context = Context::create();
        let machine = passes::nvptx(target.name(), opt);
        let compiled = self.optimised(&context, &written, opt, &machine);
        Ok(compiled.print_to_string().to_string())
    }

    fn written(&self, module: &Module) -> Result<Written, Unsupported> {
        let has_libdevice = || self.libdevice().is_there();
        Writer::new(&self.layouts, module, &has_libdevice).run()
    }

    fn optimised<'c>(
        &self,
        context: &'c Context,
        written: &Written,
        opt: OptLevel,
        machine: &inkwell::targets::TargetMachine,
    ) -> LlvmModule<'c> {
        let module = passes::parse(context, &written.text, "kernel", machine);
        if !written.libdevice.is_empty() {
            self.libdevice().link(context, &module, machine);
            for function in module.get_functions() {
                let name = function.get_name().to_string_lossy().to_string();
                if name != written.entry && function.count_basic_blocks() > 0 {
                    function.set_linkage(Linkage::Internal);
                }
            }
            // What is not called would be optimised before it is removed.
            passes::run(&module, "globaldce", machine);
        }
        passes::run_nvptx(&module, opt.pipeline(), machine);
        module
    }
}

const ENTRY: Pos = Pos {
    frame: 0,
    node: NodeId(0),
};

/// A kernel in LLVM's assembly.
struct Written {
    text: String,
    entry: String,
    leaves: Vec<Vec<Leaf>>,
    sites: Vec<FailSite>,
    /// Functions of libdevice that it calls.
    libdevice: BTreeSet<String>,
}

/// An array that the work-group shares.
struct Shared {
    /// The place in the program that makes it.
    place: (Mi, u32),
    elem: Elem,
    length: u64,
}

/// The state of writing one module.
struct Writer<'a> {
    layouts: &'a Layouts,
    module: &'a Module,
    has_libdevice: &'a dyn Fn() -> bool,
    names: FxHashMap<Mi, String>,
    shared: Vec<Shared>,
    helpers: BTreeSet<Helper>,
    intrinsics: BTreeSet<String>,
    libdevice: BTreeSet<String>,
    sites: Vec<FailSite>,
}

impl<'a> Writer<'a> {
    fn new(
        layouts: &'a Layouts,
        module: &'a Module,
        has_libdevice: &'a dyn Fn() -> bool,
    ) -> Writer<'a> {
        Writer {
            layouts,
            module,
            has_libdevice,
            names: names(module),
            shared: Vec::new(),
            helpers: BTreeSet::new(),
            intrinsics: BTreeSet::new(),
            libdevice: BTreeSet::new(),
            sites: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Written, Unsupported> {
        let entry = self.module.kernel()?;
        let mut leaves = Vec::new();
        for ty in &entry.params {
            let param = device::leaves(self.layouts, *ty);
            leaves.push(param.map_err(|why| self.refuse(&entry.body, ENTRY, &why))?);
        }
        self.find_shared()?;
        let mut functions = String::new();
        for function in &self.module.functions {
            Emit::new(&mut self, function)?.run(&mut functions)?;
            functions.push('\n');
        }
        let name = self.names[&entry.mi].clone();
        Ok(Written {
            text: self.head() + &functions,
            entry: name,
            leaves,
            sites: self.sites,
            libdevice: self.libdevice,
        })
    }

    /// What the group shares is made once per place in the program, whoever calls the function.
    fn find_shared(&mut self) -> Result<(), Unsupported> {
        for function in &self.module.functions {
            for inst in function.body.blocks.iter().flat_map(|block| &block.insts) {
                let Op::Shared(length) = inst.op else {
                    continue;
                };
                let ty = function.body.vals[inst.result.0 as usize];
                let leaves = self.leaves(&function.body, inst.pos, ty)?;
                let [Leaf::Array(elem)] = &leaves[..] else {
                    unreachable!("`shared` makes an array")
                };
                self.shared.push(Shared {
                    place: (function.mi, inst.result.0),
                    elem: elem.clone(),
                    length,
                });
            }
        }
        Ok(())
    }

    /// The number of a site, counted from 1.
    fn site(&mut self, kind: FailKind, body: &Body, pos: Pos) -> usize {
        let site = FailSite {
            kind,
            trace: trace(body, pos),
        };
        let known = self.sites.iter().position(|known| *known == site);
        known.unwrap_or_else(|| {
            self.sites.push(site);
            self.sites.len() - 1
        }) + 1
    }

    fn refuse(&self, body: &Body, pos: Pos, why: &NoData) -> Unsupported {
        Unsupported {
            what: why.sentence(self.layouts),
            trace: trace(body, pos),
        }
    }

    fn leaves(&self, body: &Body, pos: Pos, ty: Ty) -> Result<Vec<Leaf>, Unsupported> {
        device::leaves(self.layouts, ty).map_err(|why| self.refuse(body, pos, &why))
    }

    /// What stands before the functions.
    fn head(&self) -> String {
        let mut text = format!("; {}\n", self.module.entry().shown);
        let _ = writeln!(text, "target triple = \"{}\"\n", passes::NVPTX_TRIPLE);
        for (ix, shared) in self.shared.iter().enumerate() {
            let words = shared.words();
            let _ = writeln!(
                text,
                "@shared{ix} = internal addrspace(3) global [{words} x i32] poison, align 16"
            );
        }
        let of_helpers = self.helpers.iter().filter_map(|helper| helper.intrinsic());
        let intrinsics: BTreeSet<String> = of_helpers.chain(self.intrinsics.clone()).collect();
        for intrinsic in &intrinsics {
            let _ = writeln!(text, "declare {intrinsic}");
        }
        for function in &self.libdevice {
            let _ = writeln!(text, "declare {function}");
        }
        text.push_str(
            "!llvm.module.flags = !{!0}\n!0 = !{i32 4, !\"nvvm-reflect-ftz\", i32 0}\n\n",
        );
        for helper in &self.helpers {
            text.push_str(&helper.text());
            text.push('\n');
        }
        text
    }
}

impl Shared {
    /// Its size in words of 32 bits; at least one.
    fn words(&self) -> u64 {
        (self.length * self.elem.size as u64).div_ceil(4).max(1)
    }
}

/// A name for every function, in the order of the module.
fn names(module: &Module) -> FxHashMap<Mi, String> {
    let mut taken = BTreeSet::new();
    let mut names = FxHashMap::default();
    for function in &module.functions {
        let plain: String = function
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let plain = format!("wir_{plain}");
        let mut chosen = plain.clone();
        let mut number = 1;
        while !taken.insert(chosen.clone()) {
            number += 1;
            chosen = format!("{plain}_{number}");
        }
        names.insert(function.mi, chosen);
    }
    names
}
