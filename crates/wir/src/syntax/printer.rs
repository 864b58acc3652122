//! The AST as text, in one canonical layout.
//!
//! Invariants: parsing the output gives the printed tree back, and printing that gives the same
//! text. This holds for trees that the parser can make: names are identifiers, integers in types
//! and numbers are finite, and the tree is not too high. Parentheses appear only where needed.

use std::fmt::Write;

use super::token::{Kind, level};
use crate::ast::*;

/// A file: its definitions with empty lines between.
pub fn print_file(file: &File) -> String {
    let items: Vec<String> = file.items.iter().map(|i| print_item(&i.kind)).collect();
    items.join("\n")
}

/// One definition, with a line end.
///
/// ```
/// use worldage_wir::{diag::Sources, syntax};
/// let mut sources = Sources::new();
/// let file = sources.add("demo.wir", "fn f( x ){ if (x>1) { (x*2)+1 }else{0} }");
/// let parsed = syntax::parse_file(&sources, file);
/// assert_eq!(syntax::print_item(&parsed.file.items[0].kind), "\
/// fn f(x) {
///     if x > 1 {
///         x * 2 + 1
///     } else {
///         0
///     }
/// }
/// ");
/// ```
pub fn print_item(item: &ItemKind) -> String {
    let mut p = Printer::default();
    match item {
        ItemKind::Abstract(def) => {
            p.out.push_str("abstract type ");
            p.type_head(&def.name, &def.params, def.parent.as_ref());
        }
        ItemKind::Struct(def) => {
            p.out.push_str("struct ");
            p.type_head(&def.name, &def.params, def.parent.as_ref());
            if def.fields.is_empty() {
                p.out.push_str(" { }");
            } else {
                p.out.push_str(" { ");
                p.params(&def.fields);
                p.out.push_str(" }");
            }
        }
        ItemKind::Method(def) => p.method(def),
    }
    p.out.push('\n');
    p.out
}

/// A type.
pub fn print_type_expr(ty: &TypeExpr) -> String {
    let mut p = Printer::default();
    p.ty(ty);
    p.out
}

/// An expression.
pub fn print_expr(expr: &Expr) -> String {
    let mut p = Printer::default();
    p.expr(expr, level::LOOSEST);
    p.out
}

/// A block with its braces.
pub fn print_block(block: &Block) -> String {
    let mut p = Printer::default();
    p.block(block);
    p.out
}

#[derive(Default)]
struct Printer {
    out: String,
    indent: usize,
}

impl Printer {
    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("    ");
        }
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            each(self, item);
        }
    }

    // Definitions.

    fn type_head(&mut self, name: &str, params: &[TypeParam], parent: Option<&TypeExpr>) {
        self.out.push_str(name);
        if !params.is_empty() {
            self.out.push('{');
            self.type_params(params);
            self.out.push('}');
        }
        if let Some(parent) = parent {
            self.out.push_str(" <: ");
            self.ty(parent);
        }
    }

    fn type_params(&mut self, params: &[TypeParam]) {
        self.list(params, |p, param| {
            p.out.push_str(&param.name);
            if let Some(upper) = &param.upper {
                p.out.push_str(" <: ");
                p.ty(upper);
            }
        });
    }

    fn params(&mut self, params: &[Param]) {
        self.list(params, |p, param| {
            p.out.push_str(&param.name);
            if let Some(ty) = &param.ty {
                p.out.push_str(": ");
                p.ty(ty);
            }
        });
    }

    fn method(&mut self, def: &MethodDef) {
        self.out.push_str(match def.inlining {
            Inlining::Auto => "",
            Inlining::Always => "inline ",
            Inlining::Never => "noinline ",
        });
        self.out
            .push_str(if def.kernel { "kernel fn " } else { "fn " });
        self.out.push_str(&def.name);
        self.out.push('(');
        self.params(&def.params);
        self.out.push(')');
        if let Some(ret) = &def.ret {
            self.out.push_str(" -> ");
            self.ty(ret);
        }
        if !def.vars.is_empty() {
            self.out.push_str(" where ");
            self.type_params(&def.vars);
        }
        self.out.push(' ');
        self.block(&def.body);
    }

    fn ty(&mut self, ty: &TypeExpr) {
        self.out.push_str(&ty.name);
        let Some(args) = &ty.args else { return };
        let (open, close) = match &*ty.name {
            "typeof" => ('(', ')'),
            _ => ('{', '}'),
        };
        self.out.push(open);
        self.list(args, |p, arg| match arg {
            TypeArg::Type(ty) => p.ty(ty),
            TypeArg::Int(_, value) => {
                let _ = write!(p.out, "{value}");
            }
        });
        self.out.push(close);
    }

    // Statements.

    fn block(&mut self, block: &Block) {
        if block.stmts.is_empty() {
            self.out.push_str("{ }");
            return;
        }
        self.out.push('{');
        self.indent += 1;
        for stmt in &block.stmts {
            self.line();
            self.stmt(stmt);
        }
        self.indent -= 1;
        self.line();
        self.out.push('}');
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Var(name, value) => {
                let _ = write!(self.out, "var {name} = ");
                self.expr(value, level::LOOSEST);
            }
            StmtKind::Tune(name, choices) => {
                let _ = write!(self.out, "tune({name}, [");
                self.list(choices, |p, choice| {
                    let _ = write!(p.out, "{choice}");
                });
                self.out.push_str("])");
            }
            StmtKind::Assign(name, value) => {
                let _ = write!(self.out, "{name} = ");
                self.expr(value, level::LOOSEST);
            }
            StmtKind::AssignIndex(to, value) => {
                let (array, index) = &**to;
                self.expr(array, level::POSTFIX);
                self.out.push('[');
                self.expr(index, level::LOOSEST);
                self.out.push_str("] = ");
                self.expr(value, level::LOOSEST);
            }
            StmtKind::Expr(e) => self.expr(e, level::LOOSEST),
            StmtKind::While(cond, body) => {
                self.out.push_str("while ");
                self.header(cond);
                self.out.push(' ');
                self.block(body);
            }
            StmtKind::For(name, bounds, body) => {
                let (from, to) = &**bounds;
                let _ = write!(self.out, "for {name} in ");
                self.header(from);
                self.out.push_str("..");
                self.header(to);
                self.out.push(' ');
                self.block(body);
            }
            StmtKind::Return(None) => self.out.push_str("return"),
            StmtKind::Return(Some(value)) => {
                self.out.push_str("return ");
                self.expr(value, level::LOOSEST);
            }
            StmtKind::Break => self.out.push_str("break"),
            StmtKind::Continue => self.out.push_str("continue"),
        }
    }

    // Expressions.

    /// An expression before the brace of a block, where a bare type or `if` would be misread.
    fn header(&mut self, e: &Expr) {
        let loosest = match e.kind {
            ExprKind::If(..) | ExprKind::Type(_) => level::POSTFIX + 1,
            _ => level::LOOSEST,
        };
        self.expr(e, loosest);
    }

    /// An expression where only what binds at least as tightly as `least` may stand bare.
    fn expr(&mut self, e: &Expr, least: u8) {
        let bare = tightness(&e.kind) >= least;
        if !bare {
            self.out.push('(');
        }
        self.bare(e);
        if !bare {
            self.out.push(')');
        }
    }

    fn bare(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Int(value) => {
                let _ = write!(self.out, "{value}");
            }
            ExprKind::Float(value) => {
                let _ = write!(self.out, "{value:?}");
            }
            ExprKind::Bool(value) => {
                let _ = write!(self.out, "{value}");
            }
            ExprKind::Str(text) => self.string(text),
            ExprKind::Nothing => self.out.push_str("nothing"),
            ExprKind::Name(name) if Kind::from_operator(name).is_some() => {
                let _ = write!(self.out, "({name})");
            }
            ExprKind::Name(name) => self.out.push_str(name),
            ExprKind::Call(call) => {
                let (callee, args) = (call.callee(), call.args());
                match operation(call) {
                    Some(Operation::Unary) => self.unary(operator_name(callee), &args[0]),
                    Some(Operation::Binary(at)) => {
                        self.binary(operator_name(callee), at, &args[0], &args[1]);
                    }
                    None => {
                        self.expr(callee, level::POSTFIX);
                        self.args(args);
                    }
                }
            }
            ExprKind::New(new) => {
                self.ty(&new.ty);
                self.args(&new.args);
            }
            ExprKind::Type(ty) => self.ty(ty),
            ExprKind::Tuple(items) => {
                self.out.push('(');
                self.list(items, |p, e| p.expr(e, level::LOOSEST));
                if items.len() == 1 {
                    self.out.push(',');
                }
                self.out.push(')');
            }
            ExprKind::Field(field) => {
                self.expr(&field.0, level::POSTFIX);
                let _ = write!(self.out, ".{}", field.1);
            }
            ExprKind::Index(both) => {
                let (base, index) = &**both;
                self.expr(base, level::POSTFIX);
                self.out.push('[');
                self.expr(index, level::LOOSEST);
                self.out.push(']');
            }
            ExprKind::And(both) => self.binary("&&", level::AND, &both.0, &both.1),
            ExprKind::Or(both) => self.binary("||", level::OR, &both.0, &both.1),
            ExprKind::If(parts) => self.if_expr(parts),
        }
    }

    fn args(&mut self, args: &[Expr]) {
        self.out.push('(');
        self.list(args, |p, e| p.expr(e, level::LOOSEST));
        self.out.push(')');
    }

    fn unary(&mut self, op: &str, operand: &Expr) {
        self.out.push_str(op);
        // A bare number after a minus would be read as a signed literal.
        let number = matches!(operand.kind, ExprKind::Int(_) | ExprKind::Float(_));
        let least = if number {
            level::POSTFIX + 1
        } else {
            level::UNARY
        };
        self.expr(operand, least);
    }

    fn binary(&mut self, op: &str, at: u8, a: &Expr, b: &Expr) {
        // Comparisons do not chain, so neither side may be one; others lean to the left.
        let left = if at == level::COMPARE { at + 1 } else { at };
        self.expr(a, left);
        let _ = write!(self.out, " {op} ");
        self.expr(b, at + 1);
    }

    fn if_expr(&mut self, parts: &If) {
        self.out.push_str("if ");
        self.header(&parts.cond);
        self.out.push(' ');
        self.block(&parts.then);
        let Some(block) = &parts.otherwise else {
            return;
        };
        self.out.push_str(" else ");
        match &block.stmts[..] {
            [
                Stmt {
                    kind:
                        StmtKind::Expr(
                            e @ Expr {
                                kind: ExprKind::If(..),
                                ..
                            },
                        ),
                    ..
                },
            ] => self.bare(e),
            _ => self.block(block),
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                c if c.is_control() => {
                    let _ = write!(self.out, "\\u{{{:x}}}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// How a call of an operator is written.
enum Operation {
    Unary,
    Binary(u8),
}

fn operation(call: &Call) -> Option<Operation> {
    let ExprKind::Name(name) = &call.callee().kind else {
        return None;
    };
    let kind = Kind::from_operator(name)?;
    match call.args().len() {
        1 if kind.is_unary() => Some(Operation::Unary),
        2 => kind.binary_level().map(Operation::Binary),
        _ => None,
    }
}

fn operator_name(callee: &Expr) -> &str {
    match &callee.kind {
        ExprKind::Name(name) => name,
        _ => "",
    }
}

/// How tightly the written form of an expression binds.
fn tightness(kind: &ExprKind) -> u8 {
    match kind {
        // Not `POSTFIX`: `-5[i]` is minus `5[i]`, and `5.x` is no number.
        ExprKind::Int(_) | ExprKind::Float(_) => level::UNARY,
        ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Nothing
        | ExprKind::Name(_)
        | ExprKind::New(..)
        | ExprKind::Tuple(_)
        | ExprKind::Field(..)
        | ExprKind::Index(..) => level::POSTFIX,
        ExprKind::Call(call) => match operation(call) {
            Some(Operation::Unary) => level::UNARY,
            Some(Operation::Binary(at)) => at,
            None => level::POSTFIX,
        },
        ExprKind::And(..) => level::AND,
        ExprKind::Or(..) => level::OR,
        // A bare type before a block's brace would swallow it, and `if` its first operator.
        ExprKind::If(..) | ExprKind::Type(_) => level::LOOSEST,
    }
}
