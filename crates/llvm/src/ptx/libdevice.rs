//! Nvidia's elementary functions, linked into kernels that call them.
//!
//! The whole library takes long to link; once per process it is cut down to the functions that Wir
//! has, and kernels are linked with what remains.

use crate::passes;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::{Linkage, Module};
use inkwell::targets::TargetMachine;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use worldage_wir::prim::{Library, MathFn, Scalar};

/// The remainder of floats.
pub(super) const FMOD64: &str = "__nv_fmod";
pub(super) const FMOD32: &str = "__nv_fmodf";

/// Whether Wir calls a function of it.
fn is_called(name: &str) -> bool {
    let has = |library: Library| {
        MathFn::ALL.into_iter().any(|f| {
            [Scalar::F32, Scalar::F64]
                .into_iter()
                .any(|s| library.has(f, s) && library.name(f, s) == name)
        })
    };
    name == FMOD64 || name == FMOD32 || has(Library::Libdevice) || has(Library::LibdeviceFast)
}

#[derive(Debug)]
pub(super) struct Libdevice {
    path: Option<PathBuf>,
    /// The bitcode of what is called; `None` where the file cannot be read.
    cut: OnceLock<Option<Arc<[u8]>>>,
    digest: OnceLock<String>,
}

/// What was cut down in this process, by path: sessions share it.
static CUT: Mutex<BTreeMap<PathBuf, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

impl Libdevice {
    pub(super) fn new(path: Option<PathBuf>) -> Libdevice {
        Libdevice {
            path,
            cut: OnceLock::new(),
            digest: OnceLock::new(),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.cut().is_some()
    }

    /// The digest of the whole file, or that there is none.
    pub(super) fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let bytes = self.path.as_ref().and_then(|path| std::fs::read(path).ok());
            bytes.map_or("none".to_string(), |bytes| {
                blake3::hash(&bytes).to_hex().to_string()
            })
        })
    }

    fn cut(&self) -> Option<&[u8]> {
        let cut = self.cut.get_or_init(|| {
            let path = self.path.as_ref()?;
            let mut known = CUT.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(path) {
                return Some(Arc::clone(known));
            }
            let made: Arc<[u8]> = cut(path)?.into();
            known.insert(path.clone(), Arc::clone(&made));
            Some(made)
        });
        cut.as_deref()
    }

    /// Adds the functions to a module that calls some of them.
    ///
    /// # Panics
    /// If it is not there: whoever calls a function has asked before.
    pub(super) fn link<'c>(
        &self,
        context: &'c Context,
        module: &Module<'c>,
        machine: &TargetMachine,
    ) {
        let bitcode = self.cut().expect("libdevice was asked for before");
        let functions = read(context, bitcode, machine).expect("bitcode that was just written");
        if let Err(error) = module.link_in_module(functions) {
            panic!("LLVM does not link libdevice: {error}");
        }
    }
}

fn read<'c>(context: &'c Context, bitcode: &[u8], machine: &TargetMachine) -> Option<Module<'c>> {
    let buffer = MemoryBuffer::create_from_memory_range_copy(bitcode, "libdevice");
    let module = Module::parse_bitcode_from_buffer(&buffer, context).ok()?;
    // Its own triple is that of a family; LLVM would warn.
    module.set_triple(&machine.get_triple());
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    Some(module)
}

fn cut(path: &Path) -> Option<Vec<u8>> {
    let bitcode = std::fs::read(path).ok()?;
    let context = Context::create();
    let machine = passes::nvptx("sm_70", passes::OptLevel::Speed);
    let module = read(&context, &bitcode, &machine)?;
    for function in module.get_functions() {
        let name = function.get_name().to_string_lossy();
        if !is_called(&name) && function.count_basic_blocks() > 0 {
            function.set_linkage(Linkage::Internal);
        }
    }
    passes::run(&module, "globaldce", &machine);
    Some(module.write_bitcode_to_memory().as_slice().to_vec())
}
