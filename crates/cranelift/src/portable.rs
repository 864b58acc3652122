//! Code as bytes that mean the same in every session.
//!
//! The numbers of variants are part of the format: they are never used again for anything else.

use crate::code::{Code, Content, Convention, FailSite, Fault, Reloc, RuntimeFn, Site, Target};
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
            failures,
            ranges,
            positions,
            frames,
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
        failures.write(w);
        write_ranges(ranges, w);
        positions.write(w);
        frames.write(w);
        frame_size.write(w);
        convention.write(w);
        params.write(w);
        ret.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let code = Code {
            bytes: r.bytes()?.into(),
            align: u32::read(r)?,
            relocs: Portable::read(r)?,
            strings: Portable::read(r)?,
            sites: Portable::read(r)?,
            failures: Portable::read(r)?,
            ranges: read_ranges(r)?,
            positions: Portable::read(r)?,
            frames: Portable::read(r)?,
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

/// What the loader and the run-time system take for granted.
fn is_sound(code: &Code) -> bool {
    let len = code.bytes.len();
    let positions = code.positions.len();
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
    code.align.is_power_of_two()
        && code.relocs.iter().all(reloc)
        && code
            .failures
            .iter()
            .all(|failure| (failure.pos as usize) < positions || failure.pos == u32::MAX)
        && code.ranges.is_sorted_by_key(|(start, _)| *start)
        && code
            .positions
            .iter()
            .all(|pos| (pos.frame as usize) < code.frames.len())
}

/// Starts grow and positions mostly follow one another: differences are short.
fn write_ranges(ranges: &[(u32, u32)], w: &mut Writer<'_>) {
    w.number(ranges.len() as u64);
    let (mut start, mut pos) = (0, 0);
    for (next, at) in ranges {
        w.number(u64::from(next.wrapping_sub(start)));
        (i64::from(*at) - pos).write(w);
        (start, pos) = (*next, i64::from(*at));
    }
}

fn read_ranges(r: &mut Reader<'_>) -> Result<Box<[(u32, u32)]>, Malformed> {
    let (mut start, mut pos) = (0u32, 0i64);
    (0..r.count()?)
        .map(|_| {
            start = start.wrapping_add(u32::read(r)?);
            pos = pos.wrapping_add(i64::read(r)?);
            let at = u32::try_from(pos).map_err(|_| Malformed("a position is too large"))?;
            Ok((start, at))
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
