//! The declared types of one world, resolved together: definitions may stand in any order and
//! mention one another.
//!
//! Definitions are grouped into the components of "mentions"; a component is interned by its
//! definitions and by what the names outside of it mean (see the invariant in the parent module).

use super::{ResolveError, TypeScope, check_distinct, resolve_type, resolve_vars, type_names};
use crate::ast::{AbstractDef, Name, NodeId, StructDef, TypeExpr, TypeParam};
use crate::diag::Code;
use crate::universe::{FieldInfo, Universe};
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;
use worldage_dispatch::{Decl, DeclId, DeclKind, ParamDecl, Ty, TyKind};

/// The definition of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeDef {
    /// `abstract type A <: B`
    Abstract(Arc<AbstractDef>),
    /// `struct P{T} <: A { x: T }`
    Struct(Arc<StructDef>),
}

impl TypeDef {
    /// The defined name.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            TypeDef::Abstract(def) => &def.name,
            TypeDef::Struct(def) => &def.name,
        }
    }

    /// The node of the name.
    #[must_use]
    pub fn id(&self) -> NodeId {
        match self {
            TypeDef::Abstract(def) => def.id,
            TypeDef::Struct(def) => def.id,
        }
    }

    /// `struct` or `abstract type`, as logs print it.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            TypeDef::Abstract(_) => "abstract type",
            TypeDef::Struct(_) => "struct",
        }
    }

    fn params(&self) -> &[TypeParam] {
        match self {
            TypeDef::Abstract(def) => &def.params,
            TypeDef::Struct(def) => &def.params,
        }
    }

    fn parent(&self) -> Option<&TypeExpr> {
        match self {
            TypeDef::Abstract(def) => def.parent.as_ref(),
            TypeDef::Struct(def) => def.parent.as_ref(),
        }
    }

    /// The names that must be declared before this one: those of the parent and of the bounds.
    fn heads(&self) -> Vec<&Name> {
        let bounds = self
            .params()
            .iter()
            .filter_map(|param| param.upper.as_ref());
        let mut names = Vec::new();
        for ty in self.parent().into_iter().chain(bounds) {
            type_names(ty, &mut |name| names.push(name));
        }
        names
    }

    /// All names that the definition mentions, sorted, its own variables excluded.
    #[must_use]
    pub fn mentions(&self) -> Vec<&Name> {
        let mut names = self.heads();
        if let TypeDef::Struct(def) = self {
            for ty in def.fields.iter().filter_map(|field| field.ty.as_ref()) {
                type_names(ty, &mut |name| names.push(name));
            }
        }
        names.retain(|name| self.params().iter().all(|param| param.name != **name));
        names.sort();
        names.dedup();
        names
    }
}

/// Why a type definition cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDefError {
    /// The definition at fault.
    pub name: Name,
    /// What is wrong; its node is one of that definition.
    pub error: ResolveError,
    /// What is wrong with its other fields.
    pub others: Vec<ResolveError>,
}

type Key = (Vec<TypeDef>, Vec<(Name, Option<DeclId>)>);

/// Declared components by what they were declared from.
#[derive(Default)]
pub(crate) struct TypeMemo(DashMap<Key, Vec<DeclId>, FxBuildHasher>);

/// What every declared type name means in one world. Cheap to build again: what did not change is
/// found, not declared.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    decls: FxHashMap<Name, DeclId>,
}

impl TypeScope for TypeTable {
    fn decl(&self, name: &str) -> Option<DeclId> {
        self.decls.get(name).copied()
    }
}

impl TypeTable {
    /// Resolves all type definitions of a world (one per name) together.
    ///
    /// # Errors
    /// The first definition, by name, that cannot be resolved: it redefines a built-in type,
    /// mentions an unknown type, stands under itself or under a concrete type, contains itself
    /// without an array, a union or an abstract type between, or has a field twice.
    pub fn resolve<'a>(
        u: &Universe,
        defs: impl IntoIterator<Item = &'a TypeDef>,
    ) -> Result<TypeTable, TypeDefError> {
        let mut defs: Vec<&TypeDef> = defs.into_iter().collect();
        defs.sort_by(|a, b| a.name().cmp(b.name()));
        for def in &defs {
            check_alone(u, def).map_err(|error| at(def, error))?;
        }
        let mut table = TypeTable::default();
        for component in components(&defs) {
            table.add(u, &component)?;
        }
        Ok(table)
    }

    /// The names and what they mean, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, DeclId)> {
        self.decls.iter().map(|(name, decl)| (name, *decl))
    }

    /// Adds one component whose outside is in the table already.
    fn add(&mut self, u: &Universe, component: &[&TypeDef]) -> Result<(), TypeDefError> {
        let inside = |name: &Name| component.iter().any(|def| def.name() == name);
        let mut outside: Vec<(Name, Option<DeclId>)> = Vec::new();
        for name in component.iter().flat_map(|def| def.mentions()) {
            if !inside(name) && !u.is_reserved_type(name) {
                outside.push((name.clone(), self.decl(name)));
            }
        }
        outside.sort();
        outside.dedup();
        let key: Key = (
            component.iter().map(|def| (*def).clone()).collect(),
            outside,
        );
        let known = u.type_memo().0.get(&key).map(|decls| decls.clone());
        let decls = match known {
            Some(decls) => decls,
            None => {
                let declared = self.declare(u, component)?;
                // Of two threads that declare the same, the first wins.
                u.type_memo().0.entry(key).or_insert(declared).clone()
            }
        };
        let names = component.iter().map(|def| def.name().clone());
        self.decls.extend(names.zip(decls));
        Ok(())
    }

    fn declare(&self, u: &Universe, component: &[&TypeDef]) -> Result<Vec<DeclId>, TypeDefError> {
        let mut scope = self.clone();
        for def in by_heads(component)? {
            let decl = declare_head(u, &scope, def).map_err(|error| at(def, error))?;
            scope.decls.insert(def.name().clone(), decl);
        }
        for def in component {
            if let TypeDef::Struct(def_) = def {
                let fields = resolve_fields(u, &scope, def_).map_err(|(error, others)| {
                    let error = at(def, error);
                    TypeDefError { others, ..error }
                })?;
                u.add_struct(scope.decls[def.name()], def.name().clone(), fields);
            }
        }
        for def in component {
            if let TypeDef::Struct(def_) = def {
                check_size(u, scope.decls[def.name()], def_).map_err(|error| at(def, error))?;
            }
        }
        Ok(component
            .iter()
            .map(|def| scope.decls[def.name()])
            .collect())
    }
}

fn at(def: &TypeDef, error: ResolveError) -> TypeDefError {
    TypeDefError {
        name: def.name().clone(),
        error,
        others: Vec::new(),
    }
}

fn check_alone(u: &Universe, def: &TypeDef) -> Result<(), ResolveError> {
    if u.is_reserved_type(def.name()) {
        return Err(ResolveError {
            code: Code::DuplicateDefinition,
            subject: Some(def.name().to_string()),
            hint: Some("choose another name".into()),
            ..ResolveError::wrong(def.id(), format!("the type `{}` is built in", def.name()))
        });
    }
    match def {
        TypeDef::Abstract(_) => Ok(()),
        TypeDef::Struct(def) => check_distinct(&def.fields, "field"),
    }
}

/// Strongly connected components of "mentions", callees first. Iterative (Tarjan).
fn components<'a>(defs: &[&'a TypeDef]) -> Vec<Vec<&'a TypeDef>> {
    let place: FxHashMap<&str, usize> = defs
        .iter()
        .enumerate()
        .map(|(ix, def)| (&**def.name(), ix))
        .collect();
    let edges: Vec<Vec<usize>> = defs
        .iter()
        .map(|def| {
            def.mentions()
                .iter()
                .filter_map(|name| place.get(&***name).copied())
                .collect()
        })
        .collect();
    const NEW: usize = usize::MAX;
    let (mut index, mut low) = (vec![NEW; defs.len()], vec![0; defs.len()]);
    let mut on_stack = vec![false; defs.len()];
    let (mut stack, mut found, mut count) = (Vec::new(), Vec::new(), 0);
    for root in 0..defs.len() {
        if index[root] != NEW {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((v, next)) = calls.pop() {
            if next == 0 {
                (index[v], low[v]) = (count, count);
                count += 1;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some(&w) = edges[v].get(next) {
                calls.push((v, next + 1));
                if index[w] == NEW {
                    calls.push((w, 0));
                } else if on_stack[w] {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            if low[v] == index[v] {
                let start = stack.iter().position(|w| *w == v).unwrap_or(0);
                let mut members: Vec<usize> = stack.split_off(start);
                members.iter().for_each(|w| on_stack[*w] = false);
                members.sort_unstable();
                found.push(members.into_iter().map(|w| defs[w]).collect());
            }
            if let Some(&(parent, _)) = calls.last() {
                low[parent] = low[parent].min(low[v]);
            }
        }
    }
    found
}

/// The component in an order in which parents and bounds come first.
fn by_heads<'a>(component: &[&'a TypeDef]) -> Result<Vec<&'a TypeDef>, TypeDefError> {
    let mut left: Vec<&TypeDef> = component.to_vec();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready = |def: &&TypeDef| {
            let heads = def.heads();
            !left.iter().any(|other| {
                let own = def.params().iter().any(|param| param.name == *other.name());
                !own && heads.contains(&other.name())
            })
        };
        let Some(ix) = left.iter().position(ready) else {
            let def = left[0];
            return Err(at(
                def,
                ResolveError {
                    hint: Some("break the cycle".into()),
                    ..ResolveError::wrong(
                        def.id(),
                        format!(
                            "`{}` needs itself as its own supertype or bound",
                            def.name()
                        ),
                    )
                },
            ));
        };
        order.push(left.remove(ix));
    }
    Ok(order)
}

fn declare_head(u: &Universe, scope: &TypeTable, def: &TypeDef) -> Result<DeclId, ResolveError> {
    let (names, vars) = resolve_vars(u, scope, def.params())?;
    let parent = match def.parent() {
        Some(parent) => resolve_type(u, scope, &names, parent)?,
        None => Ty::ANY,
    };
    let kind = match def {
        TypeDef::Abstract(_) => DeclKind::Abstract,
        TypeDef::Struct(_) => DeclKind::Concrete,
    };
    let params = vars.iter().map(|var| ParamDecl {
        name: var.name,
        upper: var.upper,
    });
    let decl = Decl {
        name: u.types().symbol(def.name()),
        kind,
        params: params.collect(),
        parent,
    };
    let node = def.parent().map_or(def.id(), |parent| parent.id);
    u.types()
        .declare(decl)
        .map_err(|error| ResolveError::from_type_error(node, &error))
}

/// The fields, or the first error and those of the other fields.
fn resolve_fields(
    u: &Universe,
    scope: &TypeTable,
    def: &StructDef,
) -> Result<Vec<FieldInfo>, (ResolveError, Vec<ResolveError>)> {
    let (vars, _) = resolve_vars(u, scope, &def.params).map_err(|error| (error, Vec::new()))?;
    let field = |field: &crate::ast::Param| -> Result<FieldInfo, ResolveError> {
        Ok(FieldInfo {
            name: field.name.clone(),
            ty: match &field.ty {
                Some(ty) => resolve_type(u, scope, &vars, ty)?,
                None => Ty::ANY,
            },
            node: field.id,
        })
    };
    let (mut fields, mut errors) = (Vec::with_capacity(def.fields.len()), Vec::new());
    for resolved in def.fields.iter().map(field) {
        match resolved {
            Ok(field) => fields.push(field),
            Err(error) => errors.push(error),
        }
    }
    let mut errors = errors.into_iter();
    match errors.next() {
        Some(first) => Err((first, errors.collect())),
        None => Ok(fields),
    }
}

/// How deep structs may contain structs as values.
const MAX_INLINE: usize = 200;

/// A struct must not contain itself as a value.
fn check_size(u: &Universe, decl: DeclId, def: &StructDef) -> Result<(), ResolveError> {
    let Some(info) = u.struct_info(decl) else {
        return Ok(());
    };
    let mut done = Vec::new();
    for (field, written) in info.fields.iter().zip(&def.fields) {
        let mut path = vec![decl];
        if !is_finite(u, field.ty, decl, &mut path, &mut done) {
            let name = &def.name;
            return Err(ResolveError {
                hint: Some(format!(
                    "make it `Union{{{name}, Nothing}}` or `Array{{{name}}}`"
                )),
                ..ResolveError::wrong(
                    written.ty.as_ref().map_or(written.id, |ty| ty.id),
                    format!("a `{name}` would contain itself in field `{}`", field.name),
                )
            });
        }
    }
    Ok(())
}

fn is_finite(
    u: &Universe,
    ty: Ty,
    root: DeclId,
    path: &mut Vec<DeclId>,
    done: &mut Vec<Ty>,
) -> bool {
    match u.types().kind(ty) {
        TyKind::Nominal { decl, .. } if *decl == root && path.len() == 1 => false,
        TyKind::Nominal { decl, args } => {
            if done.contains(&ty) {
                return true;
            }
            let Some(info) = u.struct_info(*decl) else {
                return true;
            };
            if path.len() >= MAX_INLINE || (*decl == root && args.is_empty()) {
                return false;
            }
            path.push(*decl);
            let finite = info.fields.iter().all(|field| {
                let ty = u.types().substitute(field.ty, args);
                is_finite(u, ty, root, path, done)
            });
            path.pop();
            done.push(ty);
            finite
        }
        TyKind::Tuple { elems, .. } => {
            let elems = elems.clone();
            elems.iter().all(|ty| is_finite(u, *ty, root, path, done))
        }
        TyKind::Bottom | TyKind::Any | TyKind::Union(_) | TyKind::Var(_) => true,
    }
}
