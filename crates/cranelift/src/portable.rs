//! Code as bytes that mean the same in every session.
//!
//! The numbers of variants are part of the format: they are never used again for anything else.

use crate::code::{
    Code, Content, Convention, ErrorTables, FailSite, Fault, Reloc, RuntimeFn, Site, Target,
};
use worldage_engine::persist::{Malformed, Portable, Reader, Writer};
use worldage_engine::portable;

impl Portable for Code {
    fn write(&self, w: &mut Writer<'_>) {
        let Code {
            bytes,
            align,
            relocs,
            strings,
            sites,
            tables,
            frame_size,
            convention,
            params,
            ret,
        } = self;
        w.bytes(bytes);
        align.write(w);
        relocs.write(w);
        strings.write(w);
        sites.write(w);
        tables.write(w);
        frame_size.write(w);
        convention.write(w);
        params.write(w);
        ret.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let code = Code {
            bytes: r.shared_bytes()?,
            align: u32::read(r)?,
            relocs: Portable::read(r)?,
            strings: Portable::read(r)?,
            sites: Portable::read(r)?,
            tables: Portable::read(r)?,
            frame_size: u32::read(r)?,
            convention: Portable::read(r)?,
            params: Portable::read(r)?,
            ret: Portable::read(r)?,
        };
        match is_sound(&code) {
            true => Ok(code),
            false => Err(Malformed("code names a place that it does not have")),
        }
    }
}

impl Portable for ErrorTables {
    fn write(&self, w: &mut Writer<'_>) {
        let ErrorTables {
            failures,
            ranges,
            positions,
            frames,
        } = self;
        failures.write(w);
        write_ranges(ranges, w);
        positions.write(w);
        frames.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(ErrorTables {
            failures: Portable::read(r)?,
            ranges: read_ranges(r)?,
            positions: Portable::read(r)?,
            frames: Portable::read(r)?,
        })
    }
}

/// What the loader takes for granted.
fn is_sound(code: &Code) -> bool {
    let len = code.bytes.len();
    let reloc = |reloc: &Reloc| {
        let fits = (reloc.offset as usize)
            .checked_add(8)
            .is_some_and(|end| end <= len);
        fits && match reloc.target {
            Target::Str(ix) => (ix as usize) < code.strings.len(),
            Target::Site(ix) => (ix as usize) < code.sites.len(),
            _ => true,
        }
    };
    code.align.is_power_of_two() && code.relocs.iter().all(reloc)
}

/// Starts grow and positions mostly follow one another: differences are short. Positions are
/// counted from 1; 0 is nowhere.
fn write_ranges(ranges: &[(u32, u32)], w: &mut Writer<'_>) {
    w.number(ranges.len() as u64);
    let (mut start, mut pos) = (0, 0);
    for (next, at) in ranges {
        let at = i64::from(at.wrapping_add(1));
        w.number(u64::from(next.wrapping_sub(start)));
        (at - pos).write(w);
        (start, pos) = (*next, at);
    }
}

fn read_ranges(r: &mut Reader<'_>) -> Result<Box<[(u32, u32)]>, Malformed> {
    let (mut start, mut pos) = (0u32, 0i64);
    (0..r.count()?)
        .map(|_| {
            start = start.wrapping_add(u32::read(r)?);
            pos = pos.wrapping_add(i64::read(r)?);
            let at = u32::try_from(pos).map_err(|_| Malformed("a position is too large"))?;
            Ok((start, at.wrapping_sub(1)))
        })
        .collect()
}

impl Portable for RuntimeFn {
    fn write(&self, w: &mut Writer<'_>) {
        w.number(*self as u64);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let all = RuntimeFn::ALL;
        let found = all.get(u32::read(r)? as usize).copied();
        found.ok_or(Malformed("no such function of the run-time system"))
    }
}

portable!(struct Reloc { offset, target, addend });
portable!(struct FailSite { fault, pos });
portable!(enum Target {
    0 Cell(mi), 1 Tag(ty), 2 Descriptor(ty, content), 3 Runtime(function), 4 Str(ix), 5 Site(ix),
    6 Own,
});
portable!(enum Convention { 0 Tail, 1 System });
portable!(enum Content { 0 Box, 1 Array });
portable!(enum Site {
    0 Call(function), 1 Value, 2 Latest, 3 Invoke(function, sig), 4 Host(mi, ty), 5 IsA(ty),
    6 Field(name),
});
portable!(enum Fault {
    0 Failure(why), 1 Bounds, 2 Uninitialized, 3 Length, 4 StackOverflow, 5 TypeMismatch(ty),
});
