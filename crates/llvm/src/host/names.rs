//! What stands around the text of a function: types, conditions, attributes, metadata.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{Block, Signature, Type, types};
use worldage_cranelift::Region;
use worldage_cranelift::code::RuntimeFn;

/// Regions of elements are numbered up to this.
pub(super) const MAX_ELEMENTS: u32 = 8;

/// The number of a region's access tag.
pub(super) fn tbaa(region: Region) -> u32 {
    match region {
        Region::Elements(n) => 10 + n,
        Region::Length => 10 + MAX_ELEMENTS + 1,
    }
}

/// Frames stand on one another by their frame pointers; loops are not replaced by calls of a C
/// library, which is not there.
pub(super) const ATTRIBUTES: &str = "
attributes #0 = { nounwind \"frame-pointer\"=\"all\" \"disable-tail-calls\"=\"true\" \"no-builtins\" \"probe-stack\"=\"none\" }
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2, !3}
!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !1, producer: \"worldage\", isOptimized: true, runtimeVersion: 0, emissionKind: LineTablesOnly)
!1 = !DIFile(filename: \"wir\", directory: \".\")
!2 = !{i32 2, !\"Debug Info Version\", i32 3}
!3 = !{i32 7, !\"Dwarf Version\", i32 4}
!4 = distinct !DISubprogram(name: \"instance\", scope: !1, file: !1, line: 1, type: !6, unit: !0, spFlags: DISPFlagDefinition | DISPFlagOptimized)
!5 = !{}
!6 = !DISubroutineType(types: !5)
";

pub(super) fn label(block: Block) -> String {
    format!("b{}", block.as_u32())
}

pub(super) fn llvm_type(ty: Type) -> &'static str {
    match ty {
        types::I8 => "i8",
        types::I16 => "i16",
        types::I32 => "i32",
        types::I64 => "i64",
        types::F32 => "float",
        types::F64 => "double",
        other => unreachable!("CLIF that the generator does not make: {other}"),
    }
}

pub(super) fn result_type(sig: &Signature) -> String {
    let types: Vec<&str> = sig
        .returns
        .iter()
        .map(|r| llvm_type(r.value_type))
        .collect();
    match &types[..] {
        [] => "void".to_string(),
        [one] => (*one).to_string(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

/// Functions of numbers alone.
pub(super) fn is_pure(function: RuntimeFn) -> bool {
    use RuntimeFn::*;
    matches!(
        function,
        PowInt
            | Fmod64
            | Fmod32
            | Sin64
            | Cos64
            | Tan64
            | Exp64
            | Log64
            | Pow64
            | Sin32
            | Cos32
            | Tan32
            | Exp32
            | Log32
            | Pow32
            | Floor64
            | Ceil64
            | Nearest64
            | Trunc64
            | Floor32
            | Ceil32
            | Nearest32
            | Trunc32
    )
}

pub(super) fn never_returns(function: RuntimeFn) -> bool {
    use RuntimeFn::*;
    matches!(function, Raise | RaiseBounds | RaiseType)
}

pub(super) fn int_condition(cond: IntCC) -> &'static str {
    match cond {
        IntCC::Equal => "eq",
        IntCC::NotEqual => "ne",
        IntCC::SignedLessThan => "slt",
        IntCC::SignedGreaterThanOrEqual => "sge",
        IntCC::SignedGreaterThan => "sgt",
        IntCC::SignedLessThanOrEqual => "sle",
        IntCC::UnsignedLessThan => "ult",
        IntCC::UnsignedGreaterThanOrEqual => "uge",
        IntCC::UnsignedGreaterThan => "ugt",
        IntCC::UnsignedLessThanOrEqual => "ule",
    }
}

pub(super) fn float_condition(cond: FloatCC) -> &'static str {
    match cond {
        FloatCC::Ordered => "ord",
        FloatCC::Unordered => "uno",
        FloatCC::Equal => "oeq",
        FloatCC::NotEqual => "une",
        FloatCC::OrderedNotEqual => "one",
        FloatCC::UnorderedOrEqual => "ueq",
        FloatCC::LessThan => "olt",
        FloatCC::LessThanOrEqual => "ole",
        FloatCC::GreaterThan => "ogt",
        FloatCC::GreaterThanOrEqual => "oge",
        FloatCC::UnorderedOrLessThan => "ult",
        FloatCC::UnorderedOrLessThanOrEqual => "ule",
        FloatCC::UnorderedOrGreaterThan => "ugt",
        FloatCC::UnorderedOrGreaterThanOrEqual => "uge",
    }
}
