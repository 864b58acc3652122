//! What the loader needs of an object file: bytes, relocations, positions.
//!
//! Sections that hold code or constants stand one after the other; distances between them are
//! filled in here, addresses of other things by the loader.

use super::HostError;
use super::function::ENTRY;
use gimli::{DebugLine, DebugLineOffset, LittleEndian};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags,
    RelocationTarget, SectionFlags, SectionIndex, SymbolIndex,
};
use rustc_hash::FxHashMap;
use worldage_cranelift::code::{Reloc, Target};
use worldage_cranelift::generate::finished::library_function;
use worldage_cranelift::{Clif, Machine};

type File<'a> = ElfFile64<'a, Endianness>;

/// Takes an object file apart.
pub(super) fn read(clif: &Clif, bytes: &[u8]) -> Result<Machine, HostError> {
    let file = File::parse(bytes).map_err(|error| HostError(error.to_string()))?;
    let _ = file.elf_header().e_machine(file.endian());
    let mut placed = Placed::new(&file)?;
    let mut relocs = Vec::new();
    for (index, start) in placed.starts.clone() {
        let section = file.section_by_index(index).map_err(wrong)?;
        for (offset, relocation) in section.relocations() {
            let at = start + offset;
            let RelocationTarget::Symbol(symbol) = relocation.target() else {
                return Err(HostError("a relocation without a symbol".to_string()));
            };
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                return Err(HostError("a relocation of another format".to_string()));
            };
            let (target, base) = placed.target(clif, &file, symbol)?;
            let addend = relocation.addend();
            match (r_type, target) {
                (elf::R_X86_64_64, target) => relocs.push(Reloc {
                    offset: narrow(at)?,
                    target,
                    addend: addend + base,
                }),
                (elf::R_X86_64_PC32 | elf::R_X86_64_PLT32, Target::Own) => {
                    let distance = base + addend - i64::try_from(at).unwrap_or(i64::MAX);
                    let distance = i32::try_from(distance)
                        .map_err(|_| HostError("a function of 2 GiB".to_string()))?;
                    placed.write(at, &distance.to_le_bytes())?;
                }
                (elf::R_X86_64_PC64, Target::Own) => {
                    let distance = base + addend - i64::try_from(at).unwrap_or(i64::MAX);
                    placed.write(at, &distance.to_le_bytes())?;
                }
                (other, target) => {
                    return Err(HostError(format!("relocation {other} to {target:?}")));
                }
            }
        }
    }
    relocs.sort_by_key(|reloc| reloc.offset);
    Ok(Machine {
        ranges: ranges(&file)?,
        bytes: placed.bytes,
        align: placed.align,
        relocs,
    })
}

/// The sections that are loaded, one after the other, the code first.
struct Placed {
    bytes: Vec<u8>,
    align: u32,
    starts: Vec<(SectionIndex, u64)>,
    by_index: FxHashMap<SectionIndex, u64>,
}

impl Placed {
    fn new(file: &File<'_>) -> Result<Placed, HostError> {
        let text = file
            .symbols()
            .find(|symbol| symbol.name() == Ok(ENTRY))
            .and_then(|symbol| symbol.section_index());
        let text = text.ok_or_else(|| HostError("no code".to_string()))?;
        let mut placed = Placed {
            bytes: Vec::new(),
            align: 16,
            starts: Vec::new(),
            by_index: FxHashMap::default(),
        };
        let is_loaded = |flags: SectionFlags| matches!(flags, SectionFlags::Elf { sh_flags } if sh_flags & u64::from(elf::SHF_ALLOC) != 0);
        let mut sections: Vec<_> = file
            .sections()
            .filter(|section| is_loaded(section.flags()) && section.size() > 0)
            // No unwinder reads tables of ours: frame pointers tell all.
            .filter(|section| section.name() != Ok(".eh_frame"))
            .collect();
        sections.sort_by_key(|section| (section.index() != text, section.index().0));
        for section in sections {
            let align = section.align().max(1);
            if align > 64 {
                return Err(HostError(format!("a section aligned to {align}")));
            }
            placed.align = placed.align.max(u32::try_from(align).unwrap_or(64));
            let start = (placed.bytes.len() as u64).next_multiple_of(align);
            placed
                .bytes
                .resize(usize::try_from(start).unwrap_or(0), TRAP);
            let data = section.data().map_err(wrong)?;
            placed.bytes.extend_from_slice(data);
            // A call may be the last instruction: what it returns to belongs to this code too.
            placed.bytes.push(TRAP);
            placed.starts.push((section.index(), start));
            placed.by_index.insert(section.index(), start);
        }
        Ok(placed)
    }

    /// What a symbol stands for, and where in our own bytes it is, if it is there.
    fn target(
        &self,
        clif: &Clif,
        file: &File<'_>,
        symbol: SymbolIndex,
    ) -> Result<(Target, i64), HostError> {
        let symbol = file.symbol_by_index(symbol).map_err(wrong)?;
        if let Some(section) = symbol.section_index() {
            let start = self.by_index.get(&section).copied();
            let start =
                start.ok_or_else(|| HostError("a symbol of a section left out".to_string()))?;
            let at = i64::try_from(start + symbol.address()).unwrap_or(i64::MAX);
            return Ok((Target::Own, at));
        }
        let name = symbol.name().map_err(wrong)?;
        let number = name.strip_prefix("wir_").and_then(|n| n.parse().ok());
        if let Some(number) = number {
            return Ok((clif.target(number), 0));
        }
        let function = library_function(name);
        let function = function.ok_or_else(|| HostError(format!("a call of `{name}`")))?;
        Ok((Target::Runtime(function), 0))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let place = self.bytes.get_mut(at..at.saturating_add(bytes.len()));
        let place = place.ok_or_else(|| HostError("a relocation outside".to_string()))?;
        place.copy_from_slice(bytes);
        Ok(())
    }
}

/// `int3`
const TRAP: u8 = 0xcc;

/// From code offsets to positions: lines are positions counted from 1.
fn ranges(file: &File<'_>) -> Result<Vec<(u32, u32)>, HostError> {
    const NOWHERE: u32 = u32::MAX;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    if let Some(section) = file.section_by_name(".debug_line") {
        let data = section.data().map_err(wrong)?;
        let lines = DebugLine::new(data, LittleEndian);
        let program = lines.program(DebugLineOffset(0), 8, None, None);
        let mut rows = program.map_err(of_gimli)?.rows();
        while let Some((_, row)) = rows.next_row().map_err(of_gimli)? {
            let line = row.line().map_or(0, std::num::NonZeroU64::get);
            let pos = match line.checked_sub(1) {
                Some(pos) if !row.end_sequence() => u32::try_from(pos).unwrap_or(NOWHERE),
                _ => NOWHERE,
            };
            let at = narrow(row.address())?;
            match ranges.last_mut() {
                Some(last) if last.0 == at => last.1 = pos,
                _ => ranges.push((at, pos)),
            }
        }
    }
    if ranges.is_empty() {
        ranges.push((0, NOWHERE));
    }
    ranges.sort_by_key(|(start, _)| *start);
    Ok(ranges)
}

fn narrow(offset: u64) -> Result<u32, HostError> {
    u32::try_from(offset).map_err(|_| HostError("a function of 4 GiB".to_string()))
}

fn wrong(error: object::Error) -> HostError {
    HostError(error.to_string())
}

fn of_gimli(error: gimli::Error) -> HostError {
    HostError(error.to_string())
}
