//! Properties: printing and parsing are inverse on random trees, and no text is too strange.

use std::sync::Arc;

use proptest::prelude::*;

use super::parse;
use crate::ast::*;
use crate::syntax::{
    number, parse_call, parse_sig, parse_value_arg, print_expr, print_file, print_item,
    print_type_expr,
};

/// A number that [`number`] replaces.
const ID: NodeId = NodeId(0);

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        "[a-z][a-z0-9_]{0,3}",
        Just("é".to_string()),
        Just("inline".to_string())
    ]
    .prop_filter("a keyword", |s| !is_keyword(s))
    .prop_map(Name::from)
}

fn is_keyword(text: &str) -> bool {
    crate::syntax::token::Kind::keyword(text).is_some()
}

fn type_name() -> impl Strategy<Value = Name> {
    "[A-Z][a-z]{0,3}".prop_map(Name::from)
}

fn function_name() -> impl Strategy<Value = Name> {
    prop_oneof![name(), operator()]
}

fn operator() -> impl Strategy<Value = Name> {
    let all = [
        "==", "!=", "<", "<=", ">", ">=", "|", "&", "<<", ">>", "+", "-", "*", "/", "%", "!", "~",
    ];
    proptest::sample::select(all.to_vec()).prop_map(Name::from)
}

fn ty() -> impl Strategy<Value = TypeExpr> {
    let leaf = type_name().prop_map(|name| TypeExpr {
        id: ID,
        name,
        args: None,
    });
    let singleton = function_name().prop_map(|name| TypeExpr {
        id: ID,
        name: "typeof".into(),
        args: Some(vec![TypeArg::Type(TypeExpr {
            id: ID,
            name,
            args: None,
        })]),
    });
    prop_oneof![4 => leaf, 1 => singleton].prop_recursive(3, 8, 3, |ty| {
        let arg = prop_oneof![
            4 => ty.prop_map(TypeArg::Type),
            1 => any::<i64>().prop_map(|v| TypeArg::Int(ID, v)),
        ];
        (type_name(), prop::collection::vec(arg, 0..3)).prop_map(|(name, args)| TypeExpr {
            id: ID,
            name,
            args: Some(args),
        })
    })
}

/// A type with arguments, which is not `typeof(f)`.
fn applied() -> impl Strategy<Value = TypeExpr> {
    (
        type_name(),
        prop::collection::vec(ty().prop_map(TypeArg::Type), 0..3),
    )
        .prop_map(|(name, args)| TypeExpr {
            id: ID,
            name,
            args: Some(args),
        })
}

fn leaf() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        any::<i64>().prop_map(ExprKind::Int),
        (-9i64..10).prop_map(ExprKind::Int),
        any::<f64>()
            .prop_filter("literals are finite", |v| v.is_finite())
            .prop_map(ExprKind::Float),
        any::<bool>().prop_map(ExprKind::Bool),
        any::<String>().prop_map(|s| ExprKind::Str(s.into())),
        Just(ExprKind::Nothing),
        name().prop_map(ExprKind::Name),
        operator().prop_map(ExprKind::Name),
        applied().prop_map(|ty| ExprKind::Type(Box::new(ty))),
    ]
}

fn call(callee: Expr, args: Vec<Expr>) -> ExprKind {
    let callee_and_args = std::iter::once(callee).chain(args);
    ExprKind::Call(Call::new(callee_and_args.collect()))
}

fn named(name: Name) -> Expr {
    let kind = ExprKind::Name(name);
    Expr { id: ID, kind }
}

fn make_if(cond: Expr, then: Block, otherwise: Option<Block>) -> ExprKind {
    ExprKind::If(Box::new(If {
        cond,
        then,
        otherwise,
    }))
}

fn expr() -> impl Strategy<Value = Expr> {
    let kind = leaf().prop_recursive(5, 40, 4, |kind| {
        let e = kind.prop_map(|kind| Expr { id: ID, kind }).boxed();
        let list = prop::collection::vec(e.clone(), 0..4);
        let pair = (e.clone(), e.clone());
        prop_oneof![
            (e.clone(), list.clone()).prop_map(|(f, args)| call(f, args)),
            (function_name(), list.clone()).prop_map(|(f, args)| call(named(f), args)),
            (operator(), pair.clone()).prop_map(|(op, (a, b))| call(named(op), vec![a, b])),
            (operator(), e.clone()).prop_map(|(op, a)| call(named(op), vec![a])),
            (applied(), list.clone())
                .prop_map(|(ty, args)| ExprKind::New(Box::new(New { ty, args }))),
            list.prop_map(|items| ExprKind::Tuple(items.into())),
            (e.clone(), name()).prop_map(|field| ExprKind::Field(Box::new(field))),
            pair.clone()
                .prop_map(|both| ExprKind::Index(Box::new(both))),
            pair.clone().prop_map(|both| ExprKind::And(Box::new(both))),
            pair.prop_map(|both| ExprKind::Or(Box::new(both))),
            (
                e.clone(),
                block_of(e.clone()),
                prop::option::of(block_of(e))
            )
                .prop_map(|(c, a, b)| make_if(c, a, b)),
        ]
    });
    kind.prop_map(|kind| Expr { id: ID, kind })
}

/// A block of simple statements; each `var` has a name of its own.
fn block_of(e: BoxedStrategy<Expr>) -> impl Strategy<Value = Block> {
    let stmt = prop_oneof![
        e.clone().prop_map(StmtKind::Expr),
        (name(), e.clone()).prop_map(|(n, e)| StmtKind::Var(n, e)),
        (name(), e.clone()).prop_map(|(n, e)| StmtKind::Assign(n, e)),
        (e.clone(), e.clone(), e.clone())
            .prop_map(|(a, i, v)| StmtKind::AssignIndex(Box::new((a, i)), v)),
        prop::option::of(e).prop_map(StmtKind::Return),
    ];
    prop::collection::vec(stmt, 0..4).prop_map(make_block)
}

fn make_block(kinds: Vec<StmtKind>) -> Block {
    let stmts = kinds.into_iter().enumerate().map(|(i, mut kind)| {
        if let StmtKind::Var(n, _) = &mut kind {
            *n = format!("{n}_{i}").into();
        }
        Stmt { id: ID, kind }
    });
    Block {
        id: ID,
        stmts: stmts.collect(),
    }
}

fn body() -> impl Strategy<Value = Block> {
    let block = block_of(expr().boxed());
    block.prop_recursive(3, 12, 3, |block| {
        let e = expr().boxed();
        // A loop's body also leaves and repeats the loop.
        let inner = (block.clone(), 0usize..3).prop_map(|(mut block, how)| {
            let kind = [StmtKind::Break, StmtKind::Continue].into_iter().nth(how);
            block.stmts.extend(kind.map(|kind| Stmt { id: ID, kind }));
            block
        });
        let stmt = prop_oneof![
            (e.clone(), inner.clone()).prop_map(|(c, b)| StmtKind::While(c, Box::new(b))),
            (name(), e.clone(), e.clone(), inner).prop_map(|(n, a, b, body)| StmtKind::For(
                n,
                Box::new((a, b)),
                Box::new(body)
            )),
            (e.clone(), block.clone(), prop::option::of(block)).prop_map(|(c, a, b)| {
                let kind = make_if(c, a, b);
                StmtKind::Expr(Expr { id: ID, kind })
            }),
            e.prop_map(StmtKind::Expr),
        ];
        prop::collection::vec(stmt, 0..3).prop_map(make_block)
    })
}

fn distinct<T>(list: Vec<T>, name: impl Fn(&mut T) -> &mut Name) -> Vec<T> {
    let mut list = list;
    for (i, x) in list.iter_mut().enumerate() {
        let n = name(x);
        *n = format!("{n}_{i}").into();
    }
    list
}

fn params() -> impl Strategy<Value = Vec<Param>> {
    let one = (name(), prop::option::of(ty())).prop_map(|(name, ty)| Param { id: ID, name, ty });
    prop::collection::vec(one, 0..3).prop_map(|list| distinct(list, |p| &mut p.name))
}

fn vars() -> impl Strategy<Value = Vec<TypeParam>> {
    let one = (type_name(), prop::option::of(ty()));
    let one = one.prop_map(|(name, upper)| TypeParam {
        id: ID,
        name,
        upper,
    });
    prop::collection::vec(one, 0..3).prop_map(|list| distinct(list, |p| &mut p.name))
}

fn item() -> impl Strategy<Value = ItemKind> {
    let inlining =
        proptest::sample::select(vec![Inlining::Auto, Inlining::Always, Inlining::Never]);
    let method = (
        (function_name(), params(), vars(), prop::option::of(ty())),
        (inlining, any::<bool>(), body()),
    );
    let method = method.prop_map(|((name, params, vars, ret), (inlining, kernel, body))| {
        ItemKind::Method(Arc::new(MethodDef {
            id: ID,
            name,
            params,
            vars,
            ret,
            inlining,
            kernel,
            body,
        }))
    });
    let head = || (type_name(), vars(), prop::option::of(ty()));
    let abstract_def = head().prop_map(|(name, params, parent)| {
        ItemKind::Abstract(Arc::new(AbstractDef {
            id: ID,
            name,
            params,
            parent,
        }))
    });
    let struct_def = (head(), params()).prop_map(|((name, params, parent), fields)| {
        ItemKind::Struct(Arc::new(StructDef {
            id: ID,
            name,
            params,
            parent,
            fields,
        }))
    });
    prop_oneof![6 => method, 1 => abstract_def, 1 => struct_def].prop_map(|mut item| {
        number(&mut item);
        item
    })
}

/// Texts made of pieces of programs.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "fn ",
        "fn f(",
        "struct ",
        "abstract type ",
        "inline ",
        "kernel fn k(",
        "where ",
        "var ",
        "if ",
        "else ",
        "while ",
        "for i in ",
        "return ",
        "break",
        "continue",
        "nothing",
        "true",
        "a",
        "f",
        "P",
        "Int64",
        "x1",
        "1",
        "2.5",
        "1.",
        ".5",
        "0x",
        "1e",
        "9223372036854775808",
        "\"s\"",
        "\"",
        "\\",
        "\"\\q\"",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "{ ",
        " }",
        ",",
        ";",
        ":",
        ".",
        "..",
        "->",
        "<:",
        "=",
        "==",
        "!=",
        "<",
        ">=",
        "||",
        "&&",
        "|",
        "&",
        "<<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "~",
        "#",
        "\n",
        "\n",
        "\r\n",
        " ",
        " ",
        "\t",
        "\0",
        "é",
        "@",
        "\u{feff}",
        "typeof(",
        ") {\n",
        "}\n",
    ];
    prop::collection::vec(proptest::sample::select(pieces.to_vec()), 0..80)
        .prop_map(|pieces| pieces.concat())
}

/// Parses whatever it is; checks what must hold for every text.
fn survive(text: &str) {
    let (sources, parsed) = parse(text);
    let all = parsed.diagnostics.iter().map(|d| d.render(&sources));
    assert!(all.map(|text| text.len()).max().unwrap_or(0) < 10_000);
    // What survived is printed and read back.
    let (_, again) = parse(&print_file(&parsed.file));
    assert!(again.diagnostics.is_empty(), "the printed text is wrong");
    let kinds = |file: &File| {
        file.items
            .iter()
            .map(|i| i.kind.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&again.file), kinds(&parsed.file));
    for item in &parsed.file.items {
        let mut copy = item.kind.clone();
        assert_eq!(number(&mut copy) as usize, item.spans.len());
        assert_eq!(copy, item.kind, "nodes are numbered in pre-order");
        for span in item.spans.iter() {
            assert!(item.span.lo <= span.lo && span.lo <= span.hi && span.hi <= item.span.hi);
            assert!(text.is_char_boundary(span.lo as usize));
            assert!(text.is_char_boundary(span.hi as usize));
        }
    }
    let _ = (parse_sig(text), parse_call(text), parse_value_arg(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_items_are_read_back(item in item()) {
        let printed = print_item(&item);
        let (sources, parsed) = parse(&printed);
        if let Some(d) = parsed.diagnostics.first() {
            panic!("{printed}\n{}", d.render(&sources));
        }
        prop_assert_eq!(parsed.file.items.len(), 1);
        prop_assert!(parsed.file.items[0].kind == item, "{}", printed);
        prop_assert_eq!(print_item(&parsed.file.items[0].kind), printed);
    }

    #[test]
    fn printed_calls_are_read_back(f in name(), args in prop::collection::vec(expr(), 0..3)) {
        let call = Expr { id: ID, kind: call(named(f), args) };
        let parsed = parse_call(&print_expr(&call)).expect("a printed call is a call");
        prop_assert_eq!(print_expr(&parsed), print_expr(&call));
    }

    #[test]
    fn printed_signatures_are_read_back(f in function_name(), types in prop::collection::vec(ty(), 0..3)) {
        let types: Vec<String> = types.iter().map(print_type_expr).collect();
        let sig = parse_sig(&format!("{f}({})", types.join(", "))).expect("it is a signature");
        prop_assert_eq!(sig.params.iter().map(print_type_expr).collect::<Vec<_>>(), types);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn any_soup_is_survived(text in soup()) {
        survive(&text);
    }

    #[test]
    fn any_soup_in_a_body_is_survived(text in soup()) {
        survive(&format!("fn before() {{ 1 }}\nfn f() {{\n{text}\n}}\nfn after() {{ 2 }}\n"));
    }

    /// A character of a right program is removed or doubled.
    #[test]
    fn slips_are_survived(item in item(), at in any::<prop::sample::Index>(), double in any::<bool>()) {
        let mut chars: Vec<char> = print_item(&item).chars().collect();
        let at = at.index(chars.len());
        if double {
            chars.insert(at, chars[at]);
        } else {
            chars.remove(at);
        }
        survive(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut sources = crate::diag::Sources::new();
        let file = sources.add_bytes("t.wir", bytes.clone());
        let parsed = crate::syntax::parse_file(&sources, file);
        for d in &parsed.diagnostics {
            d.render(&sources);
        }
        prop_assert!(std::str::from_utf8(&bytes).is_ok() || !parsed.diagnostics.is_empty());
    }
}
