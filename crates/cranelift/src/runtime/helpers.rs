//! What compiled code calls: the functions behind [`RuntimeFn`].
//!
//! Those that take the context are reached through shims that note the caller's frame, for
//! errors and traces. They run on the compiled stack, within its reserve; whatever may take more
//! (the engine, host functions, formatting) goes to the host's stack.
//!
//! Law: a helper that ends in an error owns nothing that needs dropping at that point.

use super::VmCtx;
use super::asm::{saved_registers, shims, suspend};
use super::context::{Context, on_host_stack};
use super::host::{DynCall, DynTarget, Head, HostCall};
use super::launch::Launch;
use super::raise::{RaiseKind, raise, raise_site};
use super::values::{Exporter, Importer, read_leaf, string_at, write_leaves};
use crate::code::{Fault, RuntimeFn, Site};
use crate::heap::object::{DATA, Descriptor, DynVal, LENGTH};
use crate::heap::{Heap, OutOfMemory};
use crate::load::PlacedSite;
use smallvec::SmallVec;
use worldage_dispatch::{Ty, TyKind};
use worldage_wir::ir::Failure;
use worldage_wir::layout::{Rep, Shape};
use worldage_wir::prim::Scalar;
use worldage_wir::value::Value;

shims! {
    "worldage_cranelift_raise" => raise_number,
    "worldage_cranelift_raise_bounds" => raise_bounds,
    "worldage_cranelift_raise_type" => raise_type,
    "worldage_cranelift_new_array" => new_array,
    "worldage_cranelift_new_box" => new_box,
    "worldage_cranelift_resolve" => resolve,
    "worldage_cranelift_call_host" => call_host,
    "worldage_cranelift_print" => print,
    "worldage_cranelift_is_a" => is_a,
    "worldage_cranelift_field_dyn" => field_dyn,
    "worldage_cranelift_make_tuple" => make_tuple,
    "worldage_cranelift_index_dyn" => index_dyn,
    "worldage_cranelift_set_index_dyn" => set_index_dyn,
    "worldage_cranelift_barrier" => barrier,
    "worldage_cranelift_shared" => shared,
}

unsafe extern "C" {
    fn worldage_cranelift_raise();
    fn worldage_cranelift_raise_bounds();
    fn worldage_cranelift_raise_type();
    fn worldage_cranelift_new_array();
    fn worldage_cranelift_new_box();
    fn worldage_cranelift_resolve();
    fn worldage_cranelift_call_host();
    fn worldage_cranelift_print();
    fn worldage_cranelift_is_a();
    fn worldage_cranelift_field_dyn();
    fn worldage_cranelift_make_tuple();
    fn worldage_cranelift_index_dyn();
    fn worldage_cranelift_set_index_dyn();
    fn worldage_cranelift_barrier();
    fn worldage_cranelift_shared();
}

type F64x1 = extern "C" fn(f64) -> f64;
type F64x2 = extern "C" fn(f64, f64) -> f64;
type F32x1 = extern "C" fn(f32) -> f32;
type F32x2 = extern "C" fn(f32, f32) -> f32;

macro_rules! float_fns {
    ($($name:ident($($x:ident),*): $ty:ty = $body:expr;)*) => {
        $(extern "C" fn $name($($x: $ty),*) -> $ty { $body })*
    };
}

float_fns! {
    fmod64(x, y): f64 = x % y;
    fmod32(x, y): f32 = x % y;
    sin64(x): f64 = libm::sin(x);
    cos64(x): f64 = libm::cos(x);
    tan64(x): f64 = libm::tan(x);
    exp64(x): f64 = libm::exp(x);
    log64(x): f64 = libm::log(x);
    pow64(x, y): f64 = libm::pow(x, y);
    sin32(x): f32 = libm::sinf(x);
    cos32(x): f32 = libm::cosf(x);
    tan32(x): f32 = libm::tanf(x);
    exp32(x): f32 = libm::expf(x);
    log32(x): f32 = libm::logf(x);
    pow32(x, y): f32 = libm::powf(x, y);
    floor64(x): f64 = x.floor();
    ceil64(x): f64 = x.ceil();
    nearest64(x): f64 = x.round_ties_even();
    trunc64(x): f64 = x.trunc();
    floor32(x): f32 = x.floor();
    ceil32(x): f32 = x.ceil();
    nearest32(x): f32 = x.round_ties_even();
    trunc32(x): f32 = x.trunc();
}

/// The address that relocations to a function get.
pub(crate) fn address(function: RuntimeFn) -> usize {
    use RuntimeFn::*;
    match function {
        Raise => worldage_cranelift_raise as *const () as usize,
        RaiseBounds => worldage_cranelift_raise_bounds as *const () as usize,
        RaiseType => worldage_cranelift_raise_type as *const () as usize,
        NewArray => worldage_cranelift_new_array as *const () as usize,
        NewBox => worldage_cranelift_new_box as *const () as usize,
        Resolve => worldage_cranelift_resolve as *const () as usize,
        CallHost => worldage_cranelift_call_host as *const () as usize,
        Print => worldage_cranelift_print as *const () as usize,
        IsA => worldage_cranelift_is_a as *const () as usize,
        FieldDyn => worldage_cranelift_field_dyn as *const () as usize,
        MakeTuple => worldage_cranelift_make_tuple as *const () as usize,
        IndexDyn => worldage_cranelift_index_dyn as *const () as usize,
        SetIndexDyn => worldage_cranelift_set_index_dyn as *const () as usize,
        Barrier => worldage_cranelift_barrier as *const () as usize,
        Shared => worldage_cranelift_shared as *const () as usize,
        StrEq => str_eq as *const () as usize,
        PowInt => pow_int as *const () as usize,
        Fmod64 => fmod64 as F64x2 as usize,
        Fmod32 => fmod32 as F32x2 as usize,
        Sin64 => sin64 as F64x1 as usize,
        Cos64 => cos64 as F64x1 as usize,
        Tan64 => tan64 as F64x1 as usize,
        Exp64 => exp64 as F64x1 as usize,
        Log64 => log64 as F64x1 as usize,
        Pow64 => pow64 as F64x2 as usize,
        Sin32 => sin32 as F32x1 as usize,
        Cos32 => cos32 as F32x1 as usize,
        Tan32 => tan32 as F32x1 as usize,
        Exp32 => exp32 as F32x1 as usize,
        Log32 => log32 as F32x1 as usize,
        Pow32 => pow32 as F32x2 as usize,
        Floor64 => floor64 as F64x1 as usize,
        Ceil64 => ceil64 as F64x1 as usize,
        Nearest64 => nearest64 as F64x1 as usize,
        Trunc64 => trunc64 as F64x1 as usize,
        Floor32 => floor32 as F32x1 as usize,
        Ceil32 => ceil32 as F32x1 as usize,
        Nearest32 => nearest32 as F32x1 as usize,
        Trunc32 => trunc32 as F32x1 as usize,
    }
}

/// Wrapping power; a negative exponent is only given for a base of 1 or -1, where its sign does
/// not matter.
extern "C" fn pow_int(base: i64, exponent: i64) -> i64 {
    let (mut result, mut square, mut left) = (1i64, base, exponent.unsigned_abs());
    while left > 0 {
        if left & 1 == 1 {
            result = result.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        left >>= 1;
    }
    result
}

unsafe extern "C" fn str_eq(a: usize, b: usize) -> u64 {
    // SAFETY: compiled code passes live strings.
    unsafe { u64::from(a == b || string_at(a) == string_at(b)) }
}

// Every function below is called by compiled code with the running context, through its shim.

unsafe extern "C-unwind" fn raise_number(ctx: *mut VmCtx, number: usize) -> ! {
    // SAFETY: called by compiled code with a number of its own.
    unsafe {
        raise_site(ctx, number, |fault| match fault {
            Fault::Failure(failure) => RaiseKind::Failure(failure.clone()),
            Fault::Uninitialized => RaiseKind::Uninitialized,
            Fault::StackOverflow => RaiseKind::StackOverflow,
            Fault::Bounds => RaiseKind::Failure(Failure::Bounds),
            Fault::Length => RaiseKind::OutOfMemory,
            Fault::TypeMismatch(ty) => RaiseKind::Failure(Failure::TypeMismatch(*ty, Ty::ANY)),
        })
    }
}

unsafe extern "C-unwind" fn raise_bounds(
    ctx: *mut VmCtx,
    number: usize,
    index: i64,
    length: i64,
) -> ! {
    // SAFETY: called by compiled code with a number of its own.
    unsafe { raise_site(ctx, number, |_| RaiseKind::Bounds { index, length }) }
}

unsafe extern "C-unwind" fn raise_type(ctx: *mut VmCtx, number: usize, tag: u64) -> ! {
    // SAFETY: called by compiled code with a number of its own and the tag of a live value.
    unsafe {
        let actual = (*ctx).loader.type_of(tag);
        raise_site(ctx, number, |fault| match fault {
            Fault::TypeMismatch(expected) => RaiseKind::TypeMismatch(actual, *expected),
            other => unreachable!("{other:?} is no type error"),
        })
    }
}

/// Collects with the stack from here upwards as roots.
#[inline(never)]
unsafe fn collect(heap: &mut Heap, top: usize, launch: *const Launch) {
    let mut registers = [0usize; 12];
    saved_registers(&mut registers);
    let from = std::hint::black_box(registers.as_ptr()) as usize;
    // SAFETY: a field of the running context, apart from its heap.
    let mut stacks = unsafe { (*launch).stacks() };
    stacks.push(from..top);
    heap.collect(&stacks);
}

unsafe extern "C-unwind" fn new_array(
    ctx: *mut VmCtx,
    descriptor: *const Descriptor,
    length: i64,
) -> usize {
    // SAFETY: the running context; the descriptor lives as long as the loader.
    unsafe {
        let Ok(count) = usize::try_from(length) else {
            raise(ctx, RaiseKind::Length(length));
        };
        let (top, launch) = ((*ctx).stack_top, &raw const (*ctx).launch);
        match (*ctx)
            .heap
            .new_array(&*descriptor, count, |heap| collect(heap, top, launch))
        {
            Ok(object) => object,
            Err(OutOfMemory) => raise(ctx, RaiseKind::OutOfMemory),
        }
    }
}

unsafe extern "C-unwind" fn new_box(ctx: *mut VmCtx, descriptor: *const Descriptor) -> usize {
    // SAFETY: the running context; the descriptor lives as long as the loader.
    unsafe {
        let (top, launch) = ((*ctx).stack_top, &raw const (*ctx).launch);
        match (*ctx)
            .heap
            .new_box(&*descriptor, |heap| collect(heap, top, launch))
        {
            Ok(object) => object,
            Err(OutOfMemory) => raise(ctx, RaiseKind::OutOfMemory),
        }
    }
}

/// Finds what a call site calls: thunk and cell.
unsafe extern "C-unwind" fn resolve(
    ctx: *mut VmCtx,
    site: *const PlacedSite,
    args: *const DynVal,
    count: usize,
) -> *const Head {
    // SAFETY: the running context, a site of loaded code, and that many values in its frame.
    unsafe {
        let site = &*site;
        let args = std::slice::from_raw_parts(args, count);
        let latest = matches!(site.site, Site::Latest);
        if latest || (*ctx).live {
            (*ctx).world = (*ctx).host.newest_world();
        }
        let world = (*ctx).world;
        if let Some(target) = (*ctx).targets.find(site, world, args) {
            return target;
        }
        match on_host_stack(ctx, || resolve_slowly(ctx, site, args, world)) {
            Ok(target) => target,
            Err(kind) => raise(ctx, kind),
        }
    }
}

#[cold]
unsafe fn resolve_slowly(
    ctx: *mut VmCtx,
    site: &PlacedSite,
    args: &[DynVal],
    world: u64,
) -> Result<*const Head, RaiseKind> {
    // SAFETY: the running context; the borrow of its loader is a clone.
    let (loader, host) = unsafe { ((*ctx).loader.clone(), (*ctx).host.clone()) };
    let types: SmallVec<[Ty; 8]> = args.iter().map(|arg| loader.type_of(arg.tag)).collect();
    let universe = loader.generator().layouts().universe();
    let (target, types) = match site.site {
        Site::Call(function) => (DynTarget::Function(function), &types[..]),
        Site::Invoke(function, sig) => (DynTarget::Invoke(function, sig), &types[..]),
        Site::Value | Site::Latest => match universe.function_of(types[0]) {
            Some(function) => (DynTarget::Function(function), &types[1..]),
            None => {
                let expected = universe.prelude().function;
                return Err(RaiseKind::TypeMismatch(types[0], expected));
            }
        },
        Site::Host(..) | Site::IsA(_) | Site::Field(_) => unreachable!("{site:?} is no call"),
    };
    // SAFETY: the running context, which waits for the answer on the compiled stack.
    let mut cx = unsafe { Context::borrowed(ctx) };
    let callee = host.resolve(
        &mut cx,
        DynCall {
            target,
            args: types,
            world,
        },
    )?;
    // SAFETY: as above; nested calls are over.
    let inserted = unsafe { (*ctx).targets.insert(site, world, args, callee, &loader) };
    inserted.map_err(|error| RaiseKind::Host(std::sync::Arc::new(error)))
}

unsafe extern "C-unwind" fn call_host(
    ctx: *mut VmCtx,
    site: *const PlacedSite,
    args: *const DynVal,
    count: usize,
    result: *mut DynVal,
) {
    // SAFETY: the running context, a site of loaded code, and values in its frame.
    unsafe {
        let Site::Host(mi, ty) = (*site).site else {
            unreachable!("a site of a host function")
        };
        let args = std::slice::from_raw_parts(args, count);
        let outcome = on_host_stack(ctx, || {
            let (loader, host) = ((*ctx).loader.clone(), (*ctx).host.clone());
            let mut exporter = Exporter::new(&loader);
            let values: Vec<Value> = args.iter().map(|&arg| exporter.dynamic(arg)).collect();
            let mut cx = Context::borrowed(ctx);
            let call = HostCall {
                mi,
                args: &values,
                ret: ty,
                world: (*ctx).world,
                live: (*ctx).live,
            };
            let value = host.call_host(&mut cx, call)?;
            let layouts = loader.generator().layouts();
            let actual = value.ty(layouts.universe());
            if !layouts.types().subtype(actual, ty) {
                return Err(RaiseKind::TypeMismatch(actual, ty));
            }
            (*ctx).heap.pause();
            let value = Importer::new(&loader, &mut (*ctx).heap).dynamic(&value);
            (*ctx).heap.resume();
            value.map_err(|OutOfMemory| RaiseKind::OutOfMemory)
        });
        match outcome {
            Ok(value) => result.write(value),
            Err(kind) => raise(ctx, kind),
        }
    }
}

unsafe extern "C-unwind" fn print(ctx: *mut VmCtx, args: *const DynVal, count: usize) {
    // SAFETY: the running context and values in its frame.
    unsafe {
        let args = std::slice::from_raw_parts(args, count);
        on_host_stack(ctx, || {
            let loader = (*ctx).loader.clone();
            let host = (*ctx).host.clone();
            let universe = loader.generator().layouts().universe();
            let mut exporter = Exporter::new(&loader);
            let mut line = String::new();
            for (ix, &arg) in args.iter().enumerate() {
                if ix > 0 {
                    line.push(' ');
                }
                line.push_str(&exporter.dynamic(arg).print(universe).to_string());
            }
            line.push('\n');
            host.print(&line);
        });
    }
}

unsafe extern "C-unwind" fn is_a(ctx: *mut VmCtx, site: *const PlacedSite, tag: u64) -> u64 {
    // SAFETY: the running context, a site of loaded code, the tag of a live value.
    unsafe {
        let Site::IsA(ty) = (*site).site else {
            unreachable!("a site of a type test")
        };
        let loader = &raw const (*ctx).loader;
        u64::from((*ctx).targets.is_a(ty, tag, || {
            on_host_stack(ctx, || {
                let types = (*loader).generator().layouts().types();
                types.subtype((*loader).type_of(tag), ty)
            })
        }))
    }
}

/// The representation and words of a dynamic value's leaves.
unsafe fn leaves_of(ctx: *mut VmCtx, value: DynVal) -> (std::sync::Arc<Rep>, SmallVec<[u64; 16]>) {
    // SAFETY: the running context and a live value of it.
    unsafe {
        let loader = &(*ctx).loader;
        let rep = loader.generator().layouts().rep(loader.type_of(value.tag));
        let words = if rep.leaves.is_empty() {
            SmallVec::new()
        } else if rep.payload_inline() {
            SmallVec::from_slice(&[value.payload])
        } else {
            let at = value.payload as usize + 8;
            (0..rep.contents.leaves.len())
                .map(|ix| read_leaf(&rep.contents, at, ix))
                .collect()
        };
        (rep, words)
    }
}

/// A dynamic value of leaves. `words` must stay on the compiled stack: boxing may collect.
unsafe fn dynamic_of(ctx: *mut VmCtx, ty: Ty, words: &[u64]) -> DynVal {
    // SAFETY: the running context and leaves of a live value.
    unsafe {
        let loader = &raw const (*ctx).loader;
        let rep = (*loader).generator().layouts().rep(ty);
        if rep.is_dynamic() {
            return DynVal {
                tag: words[0],
                payload: words[1],
            };
        }
        let payload = match words {
            [] => 0,
            [word] => *word,
            words => {
                let descriptor = (*loader).descriptor(ty, crate::code::Content::Box);
                let object = new_box(ctx, descriptor);
                write_leaves(&rep.contents, object + 8, words);
                object as u64
            }
        };
        DynVal {
            tag: (*loader).tag(ty),
            payload,
        }
    }
}

/// The word of a field's or element's boxed struct, which is null where it was never written.
unsafe fn fill_null_boxes(ctx: *mut VmCtx, rep: &Rep, words: &mut [u64]) {
    for (word, leaf) in words.iter_mut().zip(&rep.leaves) {
        if let worldage_wir::layout::Leaf::Box(ty) = *leaf
            && *word == 0
        {
            // SAFETY: the running context; descriptors live as long as the loader.
            unsafe {
                let descriptor = (*ctx).loader.descriptor(ty, crate::code::Content::Box);
                *word = new_box(ctx, descriptor) as u64;
            }
        }
    }
}

unsafe extern "C-unwind" fn field_dyn(
    ctx: *mut VmCtx,
    site: *const PlacedSite,
    value: *const DynVal,
    result: *mut DynVal,
) {
    // SAFETY: the running context, a site of loaded code, values in its frame.
    unsafe {
        let Site::Field(name) = (*site).site else {
            unreachable!("a site of a field")
        };
        let (rep, words) = leaves_of(ctx, *value);
        let universe = std::sync::Arc::clone((*ctx).loader.generator().layouts().universe());
        let text = universe.types().symbol_str(name);
        let info = universe.fields(rep.ty).and_then(|fields| fields.info);
        let index = info.and_then(|info| info.field_index(text));
        let Some(index) = index else {
            let kind = RaiseKind::MissingField(rep.ty, name);
            drop((rep, words, universe));
            raise(ctx, kind);
        };
        let all: SmallVec<[u64; 16]> = if rep.is_boxed() {
            let at = words[0] as usize + 8;
            (0..rep.contents.leaves.len())
                .map(|ix| read_leaf(&rep.contents, at, ix))
                .collect()
        } else {
            words
        };
        let field = rep.fields[index];
        let range = field.first as usize..(field.first + field.count) as usize;
        let mut words: SmallVec<[u64; 16]> = all[range].into();
        let field_rep = (*ctx).loader.generator().layouts().rep(field.ty);
        fill_null_boxes(ctx, &field_rep, &mut words);
        result.write(dynamic_of(ctx, field.ty, &words));
    }
}

unsafe extern "C-unwind" fn make_tuple(
    ctx: *mut VmCtx,
    elements: *const DynVal,
    count: usize,
    result: *mut DynVal,
) {
    // SAFETY: the running context and values in its frame, which keeps them alive.
    unsafe {
        let elements = std::slice::from_raw_parts(elements, count);
        let mut types: SmallVec<[Ty; 8]> = SmallVec::new();
        let mut words: SmallVec<[u64; 16]> = SmallVec::new();
        for &element in elements {
            let (rep, leaves) = leaves_of(ctx, element);
            types.push(rep.ty);
            words.extend(leaves);
        }
        let layouts = std::sync::Arc::clone((*ctx).loader.generator().layouts());
        let ty = layouts.types().tuple(&types);
        let rep = layouts.rep(ty);
        if rep.is_boxed() {
            let descriptor = (*ctx).loader.descriptor(ty, crate::code::Content::Box);
            let object = new_box(ctx, descriptor);
            write_leaves(&rep.contents, object + 8, &words);
            words = SmallVec::from_slice(&[object as u64]);
        }
        result.write(dynamic_of(ctx, ty, &words));
    }
}

/// The index of a dynamic index value, or the error of one that is none.
unsafe fn index_of(ctx: *mut VmCtx, container: Ty, index: DynVal) -> Result<i64, RaiseKind> {
    // SAFETY: the running context and a live value.
    let ty = unsafe { (*ctx).loader.type_of(index.tag) };
    // SAFETY: as above.
    let universe = unsafe { (*ctx).loader.generator().layouts().universe() };
    let bits = index.payload;
    Ok(match universe.scalar_of(ty) {
        Some(Scalar::I8) => i64::from(bits as i8),
        Some(Scalar::I16) => i64::from(bits as i16),
        Some(Scalar::I32) => i64::from(bits as i32),
        Some(Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::I64) => bits as i64,
        // Beyond Int64 it is out of bounds anyway.
        Some(Scalar::U64) => i64::try_from(bits).unwrap_or(i64::MAX),
        _ => return Err(RaiseKind::NotIndexable(container, ty)),
    })
}

unsafe extern "C-unwind" fn index_dyn(ctx: *mut VmCtx, args: *const DynVal, result: *mut DynVal) {
    // SAFETY: the running context and two values in its frame.
    unsafe {
        let (container, index) = (*args, *args.add(1));
        let (rep, words) = leaves_of(ctx, container);
        let outcome: Result<(Ty, SmallVec<[u64; 16]>), RaiseKind> = (|| match &rep.shape {
            Shape::Array(elem) => {
                let at = index_of(ctx, rep.ty, index)?;
                let object = container.payload as usize;
                let (rep, address) = element(ctx, object, *elem, at)?;
                let mut words: SmallVec<[u64; 16]> = (0..rep.leaves.len())
                    .map(|ix| read_leaf(&rep.mem, address, ix))
                    .collect();
                if rep.witness().is_some_and(|leaf| words[leaf] == 0) {
                    return Err(RaiseKind::Uninitialized);
                }
                if rep.zero {
                    fill_null_boxes(ctx, &rep, &mut words);
                }
                Ok((*elem, words))
            }
            Shape::Fields(types)
                if matches!(
                    (*ctx).loader.generator().layouts().types().kind(rep.ty),
                    TyKind::Tuple { .. }
                ) =>
            {
                let at = index_of(ctx, rep.ty, index)?;
                let length = types.len() as i64;
                if !(0..length).contains(&at) {
                    return Err(RaiseKind::Bounds { index: at, length });
                }
                let all: SmallVec<[u64; 16]> = if rep.is_boxed() {
                    let box_at = words[0] as usize + 8;
                    let count = rep.contents.leaves.len();
                    (0..count)
                        .map(|ix| read_leaf(&rep.contents, box_at, ix))
                        .collect()
                } else {
                    words.clone()
                };
                let field = rep.fields[at as usize];
                let range = field.first as usize..(field.first + field.count) as usize;
                let mut words: SmallVec<[u64; 16]> = all[range].into();
                let field_rep = (*ctx).loader.generator().layouts().rep(field.ty);
                fill_null_boxes(ctx, &field_rep, &mut words);
                Ok((field.ty, words))
            }
            _ => {
                let index = (*ctx).loader.type_of(index.tag);
                Err(RaiseKind::NotIndexable(rep.ty, index))
            }
        })();
        drop((rep, words));
        match outcome {
            Ok((ty, words)) => result.write(dynamic_of(ctx, ty, &words)),
            Err(kind) => raise(ctx, kind),
        }
    }
}

/// The representation and address of an array's element.
unsafe fn element(
    ctx: *mut VmCtx,
    object: usize,
    elem: Ty,
    index: i64,
) -> Result<(std::sync::Arc<Rep>, usize), RaiseKind> {
    // SAFETY: a live array of the running context.
    let length = unsafe { *((object + LENGTH as usize) as *const i64) };
    if !(0..length).contains(&index) {
        return Err(RaiseKind::Bounds { index, length });
    }
    // SAFETY: the running context.
    let rep = unsafe { (*ctx).loader.generator().layouts().rep(elem) };
    let address = object + DATA as usize + index as usize * rep.mem.size as usize;
    Ok((rep, address))
}

unsafe extern "C-unwind" fn set_index_dyn(ctx: *mut VmCtx, args: *const DynVal) {
    // SAFETY: the running context and three values in its frame.
    unsafe {
        let (container, index, value) = (*args, *args.add(1), *args.add(2));
        let outcome: Result<(), RaiseKind> = (|| {
            let ty = (*ctx).loader.type_of(container.tag);
            let layouts = std::sync::Arc::clone((*ctx).loader.generator().layouts());
            let rep = layouts.rep(ty);
            let Shape::Array(elem) = rep.shape else {
                let index = (*ctx).loader.type_of(index.tag);
                return Err(RaiseKind::NotIndexable(ty, index));
            };
            let at = index_of(ctx, ty, index)?;
            let (rep, address) = element(ctx, container.payload as usize, elem, at)?;
            let actual = (*ctx).loader.type_of(value.tag);
            if !layouts.types().subtype(actual, elem) {
                return Err(RaiseKind::TypeMismatch(actual, elem));
            }
            if rep.is_dynamic() {
                write_leaves(&rep.mem, address, &[value.tag, value.payload]);
            } else {
                let (_, words) = leaves_of(ctx, value);
                write_leaves(&rep.mem, address, &words);
            }
            Ok(())
        })();
        if let Err(kind) = outcome {
            raise(ctx, kind);
        }
    }
}

unsafe extern "C-unwind" fn barrier(ctx: *mut VmCtx) {
    // SAFETY: the running context; a launch resumes what it began.
    unsafe {
        if (*ctx).launch.suspends() {
            suspend(ctx);
        } else if (*ctx).grid[3] != [1; 3] {
            let sentence = "barrier() in a call that the kernel's launch did not make itself";
            raise(ctx, RaiseKind::Unsupported(sentence.into()));
        }
    }
}

/// The group's array of this place in the code, made by the first work-item that asks.
unsafe extern "C-unwind" fn shared(
    ctx: *mut VmCtx,
    descriptor: *const Descriptor,
    length: i64,
) -> usize {
    // SAFETY: the running context; the descriptor lives as long as the loader.
    unsafe {
        let place = (*ctx).pc;
        if let Some(root) = (*ctx).launch.shared(place) {
            return (*ctx).heap.roots.get(root).payload as usize;
        }
        let object = new_array(ctx, descriptor, length);
        let root = (*ctx).heap.roots.insert(DynVal {
            tag: 0,
            payload: object as u64,
        });
        (*ctx).launch.share(place, root);
        object
    }
}
