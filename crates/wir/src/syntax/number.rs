//! Pre-order numbers for the nodes of an item.
//!
//! Invariant: the visit order is the order of the fields in the AST's types, so the numbers
//! depend on the tree alone and equal trees have equal numbers.

use std::sync::Arc;

use crate::ast::*;

/// Gives every node of an item its pre-order number and returns how many there are. For trees
/// that were built rather than parsed; the parser's trees are numbered already.
pub fn number(item: &mut ItemKind) -> u32 {
    let mut next = Next(0);
    visit_item(item, &mut next);
    next.0
}

/// What is done with a tree, in pre-order.
pub(crate) trait Visit {
    fn node(&mut self, id: &mut NodeId);

    /// Takes note of a literal, or of a name in a body.
    fn word(&mut self, _: u64) {}

    fn name(&mut self, name: &Name) {
        // Its length and its last letter tell most names apart.
        let last = name.as_bytes().last().copied().unwrap_or(0);
        self.word((name.len() as u64) << 8 | u64::from(last));
    }
}

/// The number of the next node.
struct Next(u32);

impl Visit for Next {
    fn node(&mut self, id: &mut NodeId) {
        *id = NodeId(self.0);
        self.0 += 1;
    }
}

pub(crate) fn visit_item(item: &mut ItemKind, f: &mut impl Visit) {
    match item {
        ItemKind::Abstract(def) => {
            let def = Arc::make_mut(def);
            f.node(&mut def.id);
            visit_type_params(&mut def.params, f);
            if let Some(parent) = &mut def.parent {
                visit_type(parent, f);
            }
        }
        ItemKind::Struct(def) => {
            let def = Arc::make_mut(def);
            f.node(&mut def.id);
            visit_type_params(&mut def.params, f);
            if let Some(parent) = &mut def.parent {
                visit_type(parent, f);
            }
            visit_params(&mut def.fields, f);
        }
        ItemKind::Method(def) => {
            let def = Arc::make_mut(def);
            f.node(&mut def.id);
            visit_params(&mut def.params, f);
            visit_type_params(&mut def.vars, f);
            if let Some(ret) = &mut def.ret {
                visit_type(ret, f);
            }
            visit_block(&mut def.body, f);
        }
    }
}

pub(crate) fn visit_type_params(params: &mut [TypeParam], f: &mut impl Visit) {
    for param in params {
        f.node(&mut param.id);
        if let Some(upper) = &mut param.upper {
            visit_type(upper, f);
        }
    }
}

fn visit_params(params: &mut [Param], f: &mut impl Visit) {
    for param in params {
        f.node(&mut param.id);
        if let Some(ty) = &mut param.ty {
            visit_type(ty, f);
        }
    }
}

pub(crate) fn visit_type(ty: &mut TypeExpr, f: &mut impl Visit) {
    f.node(&mut ty.id);
    for arg in ty.args.iter_mut().flatten() {
        match arg {
            TypeArg::Type(ty) => visit_type(ty, f),
            TypeArg::Int(id, _) => f.node(id),
        }
    }
}

fn visit_block(block: &mut Block, f: &mut impl Visit) {
    f.node(&mut block.id);
    for stmt in &mut block.stmts {
        f.node(&mut stmt.id);
        match &mut stmt.kind {
            StmtKind::Var(name, e) | StmtKind::Assign(name, e) => {
                f.name(name);
                visit_expr(e, f);
            }
            StmtKind::Expr(e) => visit_expr(e, f),
            StmtKind::AssignIndex(to, v) => {
                visit_expr(&mut to.0, f);
                visit_expr(&mut to.1, f);
                visit_expr(v, f);
            }
            StmtKind::While(c, body) => {
                visit_expr(c, f);
                visit_block(body, f);
            }
            StmtKind::For(_, bounds, body) => {
                visit_expr(&mut bounds.0, f);
                visit_expr(&mut bounds.1, f);
                visit_block(body, f);
            }
            StmtKind::Return(value) => {
                if let Some(e) = value {
                    visit_expr(e, f);
                }
            }
            StmtKind::Tune(..) | StmtKind::Break | StmtKind::Continue => {}
        }
    }
}

pub(crate) fn visit_expr(expr: &mut Expr, f: &mut impl Visit) {
    f.node(&mut expr.id);
    match &mut expr.kind {
        ExprKind::Int(value) => f.word(value.cast_unsigned()),
        ExprKind::Float(value) => f.word(value.to_bits()),
        ExprKind::Bool(value) => f.word(u64::from(*value)),
        ExprKind::Str(_) | ExprKind::Nothing => {}
        ExprKind::Name(name) => f.name(name),
        ExprKind::Call(call) => call.all_mut().iter_mut().for_each(|e| visit_expr(e, f)),
        ExprKind::New(new) => {
            visit_type(&mut new.ty, f);
            new.args.iter_mut().for_each(|e| visit_expr(e, f));
        }
        ExprKind::Type(ty) => visit_type(ty, f),
        ExprKind::Tuple(items) => items.iter_mut().for_each(|e| visit_expr(e, f)),
        ExprKind::Field(field) => visit_expr(&mut field.0, f),
        ExprKind::Index(both) | ExprKind::And(both) | ExprKind::Or(both) => {
            visit_expr(&mut both.0, f);
            visit_expr(&mut both.1, f);
        }
        ExprKind::If(parts) => {
            visit_expr(&mut parts.cond, f);
            visit_block(&mut parts.then, f);
            if let Some(block) = &mut parts.otherwise {
                visit_block(block, f);
            }
        }
    }
}
