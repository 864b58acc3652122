//! The loader: code to executable memory, relocations to addresses of this session.
//!
//! Invariant: everything that loaded code points at — descriptors, strings, its own call sites —
//! lives at least as long as the code; cells are the caller's promise.

use crate::code::{Code, Content, Site, Target};
use crate::generate::{Generator, ThunkKey};
use crate::heap::object::{DATA, Descriptor, tag_of};
use crate::memory::{Block, CodeMemory, Memory};
use crate::runtime::helpers;
use crate::runtime::host::site_salt;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::io;
use std::mem::offset_of;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use worldage_dispatch::Ty;
use worldage_engine::Mi;

/// Loads code and owns what loaded code refers to; shared by all threads of a session.
#[derive(Clone)]
pub struct Loader {
    shared: Arc<Shared>,
}

struct Shared {
    generator: Arc<Generator>,
    memory: Memory,
    /// Loaded code by the address of its last byte: what return addresses are looked up in.
    registry: Arc<RwLock<BTreeMap<usize, Arc<Placed>>>>,
    descriptors: Mutex<FxHashMap<(Ty, Content), Box<Descriptor>>>,
    strings: Mutex<FxHashMap<Arc<str>, Box<[u64]>>>,
    thunks: RwLock<FxHashMap<ThunkKey, Arc<Loaded>>>,
    /// The types of the tags that were ever given out.
    tags: RwLock<Vec<Option<Ty>>>,
    bytes: Descriptor,
}

/// A site of loaded code; compiled code reads the first two words.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct PlacedSite {
    /// Never that of another site, also when its code is gone.
    pub(crate) id: u64,
    /// Its part of the hash under which a context finds the targets of its calls.
    pub(crate) salt: u64,
    pub(crate) site: Site,
}

impl PlacedSite {
    pub(crate) const ID: i32 = offset_of!(PlacedSite, id) as i32;
    pub(crate) const SALT: i32 = offset_of!(PlacedSite, salt) as i32;

    fn new(site: Site) -> PlacedSite {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let salt = site_salt(id);
        PlacedSite { id, salt, site }
    }
}

/// Code at its place.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) code: Arc<Code>,
    pub(crate) start: usize,
    /// At stable addresses: the code names them.
    _sites: Box<[PlacedSite]>,
}

/// Code that can be called; its memory is freed when this is dropped, so whoever holds a pointer
/// to the entry holds this too.
#[derive(Debug)]
pub struct Loaded {
    placed: Arc<Placed>,
    registry: std::sync::Weak<RwLock<BTreeMap<usize, Arc<Placed>>>>,
    block: Block,
}

/// Code could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system gave no executable memory.
    #[error("no executable memory: {0}")]
    Memory(#[from] io::Error),
    /// A thunk could not be made.
    #[error(transparent)]
    Generate(#[from] crate::generate::GenerateError),
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// A loader for what the generator makes.
    #[must_use]
    pub fn new(generator: Arc<Generator>) -> Loader {
        let bytes = Descriptor {
            content: Content::Array,
            size: 1,
            pointers: Box::new([]),
        };
        let shared = Shared {
            generator,
            memory: Memory::default(),
            registry: Arc::default(),
            descriptors: Mutex::default(),
            strings: Mutex::default(),
            thunks: RwLock::default(),
            tags: RwLock::default(),
            bytes,
        };
        Loader {
            shared: Arc::new(shared),
        }
    }

    /// The generator that thunks are made with.
    #[must_use]
    pub fn generator(&self) -> &Arc<Generator> {
        &self.shared.generator
    }

    /// Live and free code memory.
    #[must_use]
    pub fn memory(&self) -> CodeMemory {
        self.shared.memory.stats()
    }

    /// Loads code. `cells` gives the address of the word that holds the entry of an instance; it
    /// must stay valid as long as the code is loaded.
    pub fn load(
        &self,
        code: &Arc<Code>,
        cells: &mut dyn FnMut(Mi) -> *const usize,
    ) -> Result<Loaded, LoadError> {
        let sites: Box<[PlacedSite]> = code.sites.iter().copied().map(PlacedSite::new).collect();
        let sites_at = sites.as_ptr();
        let mut patches: smallvec::SmallVec<[(u32, u64); 16]> = smallvec::SmallVec::new();
        for reloc in &code.relocs {
            let value = match reloc.target {
                Target::Cell(mi) => cells(mi) as u64,
                Target::Tag(ty) => self.tag(ty),
                Target::Descriptor(ty, content) => self.descriptor(ty, content) as u64,
                Target::Runtime(function) => helpers::address(function) as u64,
                Target::Str(ix) => self.string(&code.strings[ix as usize]),
                Target::Site(ix) => sites_at.wrapping_add(ix as usize) as u64,
                // Relative to the code itself: added when its address is known.
                Target::Own => u64::MAX,
            };
            patches.push((reloc.offset, value));
        }
        let block = self.shared.memory.install(code, |memory, address| {
            for (reloc, &(offset, value)) in code.relocs.iter().zip(&patches) {
                let value = if reloc.target == Target::Own {
                    address as u64
                } else {
                    value
                };
                let value = value.wrapping_add(reloc.addend as u64);
                let at = offset as usize;
                memory[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        })?;
        let start = block.address();
        let placed = Arc::new(Placed {
            code: Arc::clone(code),
            start,
            _sites: sites,
        });
        let last = start + code.bytes.len().max(1) - 1;
        self.shared
            .registry
            .write()
            .insert(last, Arc::clone(&placed));
        Ok(Loaded {
            placed,
            registry: Arc::downgrade(&self.shared.registry),
            block,
        })
    }

    /// The uniform entry for instances of these types, made on first demand and kept.
    pub fn thunk(&self, key: &ThunkKey) -> Result<Arc<Loaded>, LoadError> {
        if let Some(thunk) = self.shared.thunks.read().get(key) {
            return Ok(Arc::clone(thunk));
        }
        let code = Arc::new(self.shared.generator.compile_thunk(key)?);
        let loaded = Arc::new(self.load(&code, &mut |_| std::ptr::null())?);
        Ok(Arc::clone(
            self.shared
                .thunks
                .write()
                .entry(key.clone())
                .or_insert(loaded),
        ))
    }

    /// The code that an address lies in.
    pub(crate) fn code_at(&self, address: usize) -> Option<Arc<Placed>> {
        let registry = self.shared.registry.read();
        let (_, placed) = registry.range(address..).next()?;
        (placed.start <= address).then(|| Arc::clone(placed))
    }

    pub(crate) fn descriptor(&self, ty: Ty, content: Content) -> *const Descriptor {
        let mut descriptors = self.shared.descriptors.lock();
        let known = descriptors.entry((ty, content)).or_insert_with(|| {
            let rep = self.shared.generator.layouts().rep(ty);
            let mem = match content {
                Content::Box => &rep.contents,
                Content::Array => &rep.mem,
            };
            Box::new(Descriptor::new(content, mem))
        });
        &raw const **known
    }

    /// The number that stands for a concrete type in dynamic values.
    pub(crate) fn tag(&self, ty: Ty) -> u64 {
        let index = ty.index();
        if self.shared.tags.read().get(index) != Some(&Some(ty)) {
            let mut tags = self.shared.tags.write();
            if tags.len() <= index {
                tags.resize(index + 1, None);
            }
            tags[index] = Some(ty);
        }
        tag_of(ty)
    }

    /// The type that a tag stands for.
    pub(crate) fn type_of(&self, tag: u64) -> Ty {
        let index = usize::try_from(tag).ok().and_then(|tag| tag.checked_sub(1));
        let tags = self.shared.tags.read();
        let ty = index.and_then(|index| tags.get(index).copied().flatten());
        ty.expect("a live value has a tag that was given out")
    }

    /// The descriptor of strings: arrays of bytes.
    pub(crate) fn string_descriptor(&self) -> &Descriptor {
        &self.shared.bytes
    }

    /// The immortal object of a string constant, one for equal texts.
    fn string(&self, text: &Arc<str>) -> u64 {
        let mut strings = self.shared.strings.lock();
        let object = strings.entry(Arc::clone(text)).or_insert_with(|| {
            let header = DATA as usize / 8;
            let mut words = vec![0u64; header + text.len().div_ceil(8)].into_boxed_slice();
            words[0] = &raw const self.shared.bytes as u64;
            words[1] = text.len() as u64;
            for (word, bytes) in words[header..].iter_mut().zip(text.as_bytes().chunks(8)) {
                let mut padded = [0; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                *word = u64::from_le_bytes(padded);
            }
            words
        });
        object.as_ptr() as u64
    }
}

impl Loaded {
    /// What a cell of this instance holds.
    #[must_use]
    pub fn entry(&self) -> usize {
        self.block.address()
    }

    /// The entry, if the code is a leaf ([`Code::is_leaf`]).
    #[must_use]
    pub fn leaf(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.entry()).filter(|_| self.code().is_leaf())
    }

    /// The artifact.
    #[must_use]
    pub fn code(&self) -> &Arc<Code> {
        &self.placed.code
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            let last = self.placed.start + self.placed.code.bytes.len().max(1) - 1;
            registry.write().remove(&last);
        }
    }
}
