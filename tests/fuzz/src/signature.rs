//! Signatures, calls and arguments as text: never a panic; what is right is printed and read back.

use worldage::Sources;
use worldage::wir::ast::{
    Block, Inlining, ItemKind, MethodDef, Name, NodeId, Param, TypeExpr, TypeParam,
};
use worldage::wir::env::{TypeDef, TypeTable, resolve_sig};
use worldage::wir::syntax::{
    SigExpr, input_kind, parse_call, parse_file, parse_sig, parse_value_arg, print_expr,
    print_type_expr,
};
use worldage::wir::universe::Universe;
use worldage_dispatch::{Sig, display_sig, sig_equal};

/// The declared types that signatures can name.
const TYPES: &str = "
    abstract type A
    abstract type B{T} <: A
    struct C <: A { x: Int64 }
    struct D{T, S} <: B{T} { x: T; y: S }
    struct E{T <: Number} { x: T }
";

/// The longest text that is tried.
const LONGEST: usize = 4096;

/// Checks one text.
///
/// # Panics
/// Where something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.len() > LONGEST {
        return;
    }
    let _ = (parse_value_arg(text), input_kind(text));
    match parse_call(text) {
        Ok(call) => {
            let printed = print_expr(&call);
            let again = parse_call(&printed);
            let again = again.unwrap_or_else(|error| panic!("{printed}\n{error}"));
            assert_eq!(print_expr(&again), printed, "printing is the inverse");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match parse_sig(text) {
        Ok(sig) => check_signature(sig),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_signature(written: SigExpr) {
    let again = printed(&written);
    let again = parse_sig(&again).unwrap_or_else(|error| panic!("{again}\n{error}"));
    assert_eq!(
        printed(&again),
        printed(&written),
        "printing is the inverse"
    );

    let universe = Universe::new();
    let types = declared(&universe);
    let name = written.name.clone();
    let Some(sig) = meaning(&universe, &types, written) else {
        return;
    };
    let shown = display_sig(universe.types(), &name, &sig);
    let again = parse_sig(&shown).unwrap_or_else(|error| panic!("{shown}\n{error}"));
    let again = meaning(&universe, &types, again);
    let again = again.unwrap_or_else(|| panic!("{shown} is no signature any more"));
    assert!(
        sig_equal(universe.types(), &sig, &again),
        "{shown} means something else"
    );
}

/// A signature as text.
fn printed(sig: &SigExpr) -> String {
    let list = |types: &[TypeExpr]| {
        let shown: Vec<String> = types.iter().map(print_type_expr).collect();
        shown.join(", ")
    };
    let var = |var: &TypeParam| match &var.upper {
        Some(upper) => format!("{} <: {}", var.name, print_type_expr(upper)),
        None => var.name.to_string(),
    };
    let mut out = format!("{}({})", sig.name, list(&sig.params));
    if !sig.vars.is_empty() {
        let vars: Vec<String> = sig.vars.iter().map(var).collect();
        out.push_str(&format!(" where {}", vars.join(", ")));
    }
    out
}

fn declared(universe: &Universe) -> TypeTable {
    let mut sources = Sources::new();
    let file = sources.add("types", TYPES);
    let parsed = parse_file(&sources, file);
    assert!(parsed.diagnostics.is_empty(), "the types are right");
    let items = parsed.file.items;
    let defs: Vec<TypeDef> = items
        .into_iter()
        .filter_map(|item| match item.kind {
            ItemKind::Abstract(def) => Some(TypeDef::Abstract(def)),
            ItemKind::Struct(def) => Some(TypeDef::Struct(def)),
            ItemKind::Method(_) => None,
        })
        .collect();
    TypeTable::resolve(universe, &defs).expect("the types are right")
}

/// What a signature means, if it is right.
fn meaning(universe: &Universe, types: &TypeTable, sig: SigExpr) -> Option<Sig> {
    let id = NodeId(0);
    let params = sig.params.into_iter().enumerate().map(|(ix, ty)| Param {
        id,
        name: Name::from(format!("x{ix}")),
        ty: Some(ty),
    });
    let def = MethodDef {
        id,
        name: sig.name,
        params: params.collect(),
        vars: sig.vars,
        ret: None,
        inlining: Inlining::Auto,
        kernel: false,
        body: Block {
            id,
            stmts: Vec::new(),
        },
    };
    resolve_sig(universe, types, &def).ok()
}
