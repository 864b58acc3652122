//! Definitions: files, abstract types, structs, methods.

use std::sync::{Arc, Weak};

use super::room::Met;
use super::tune::Tuning;
use super::{Context, Kind, PResult, Parser, Reported, span};
use crate::ast::*;
use crate::diag::Code;
use crate::syntax::number;

impl Parser<'_> {
    /// The definitions of a file, without those that are wrong.
    pub(in crate::syntax) fn file(&mut self) -> File {
        let mut items = Vec::new();
        loop {
            while self.eat(Kind::Semi) {}
            if self.at(Kind::Eof) {
                return File { items };
            }
            let errors = self.errors;
            let lo = self.tok.lo;
            self.start = lo;
            self.context = Context::default();
            self.room.begin_item();
            match self.item() {
                Ok(mut kind) => {
                    let span = Span {
                        lo,
                        hi: self.prev_hi,
                    };
                    if self.errors == errors {
                        number::visit_item(&mut kind, &mut self.room);
                        items.push(Item {
                            kind,
                            span,
                            text: Weak::new(),
                            spans: self.room.spans(),
                            checksum: self.room.checksum(),
                        });
                    }
                }
                Err(Reported) => {
                    if self.tok.lo == lo {
                        self.bump();
                    }
                    self.skip_item();
                }
            }
        }
    }

    fn item(&mut self) -> PResult<ItemKind> {
        if !self.at_item() {
            let hint = match self.tok.kind {
                Kind::Var => Some("there are no global variables; pass values as arguments"),
                Kind::RBrace => Some("no block is open here"),
                _ => Some("statements stand in the body of a method, such as `fn main() { … }`"),
            };
            let what = "`fn`, `struct` or `abstract type`";
            return Err(self.unexpected_with(what, hint.map(str::to_string)));
        }
        match self.tok.kind {
            Kind::Struct => self.struct_def(),
            Kind::Ident if self.slice(self.tok) == "abstract" => self.abstract_def(),
            _ => self.method_def(),
        }
    }

    fn abstract_def(&mut self) -> PResult<ItemKind> {
        self.bump();
        self.bump();
        let tok = self.tok;
        let (name, at) = self.ident("the name of the type")?;
        let id = self.node_at(at, 0);
        let params = self.declared_params(tok)?;
        self.distinct(&params, |p| (p.id, &p.name), "type parameter");
        let parent = self.parent()?;
        if !self.at(Kind::Eof) && !self.at(Kind::Semi) && !self.tok.begins_line {
            let hint = "an abstract type has no fields; a definition ends with its line or `;`";
            return Err(self.unexpected_with("the end of the line", Some(hint.to_string())));
        }
        Ok(ItemKind::Abstract(Arc::new(AbstractDef {
            id,
            name,
            params,
            parent,
        })))
    }

    /// `<: PARENT`, or nothing.
    fn parent(&mut self) -> PResult<Option<TypeExpr>> {
        match self.at(Kind::Subtype) && !self.tok.begins_line {
            true => {
                self.bump();
                self.type_expr().map(Some)
            }
            false => Ok(None),
        }
    }

    fn struct_def(&mut self) -> PResult<ItemKind> {
        self.bump();
        let tok = self.tok;
        let (name, at) = self.ident("the name of the struct")?;
        let id = self.node_at(at, 0);
        let params = self.declared_params(tok)?;
        self.distinct(&params, |p| (p.id, &p.name), "type parameter");
        let parent = self.header(true, |p| match p.eat(Kind::Subtype) {
            true => p.type_expr().map(Some),
            false => Ok(None),
        })?;
        if !self.at(Kind::LBrace) {
            let hint =
                format!("a struct has its fields in braces: `struct {name} {{ }}` if it has none");
            return Err(self.unexpected_with("`{`", Some(hint)));
        }
        let saved = self.enter()?;
        let fields = self.fields();
        let fields = self.leave(saved, fields)?;
        self.distinct(&fields, |p| (p.id, &p.name), "field");
        Ok(ItemKind::Struct(Arc::new(StructDef {
            id,
            name,
            params,
            parent,
            fields,
        })))
    }

    /// `x: T, y: U }`: commas, semicolons or line ends stand between fields.
    fn fields(&mut self) -> PResult<Vec<Param>> {
        let mut fields = Vec::new();
        while !self.at(Kind::RBrace) {
            if !self.at(Kind::Ident) && !fields.is_empty() {
                break;
            }
            fields.push(self.param("the name of a field")?);
            let separated = self.eat(Kind::Comma) || self.eat(Kind::Semi);
            if !separated && !self.tok.begins_line {
                break;
            }
        }
        self.close("`,` or `}` of the fields")?;
        Ok(fields)
    }

    /// `x` or `x: T`
    fn param(&mut self, what: &str) -> PResult<Param> {
        let (name, at) = self.ident(what)?;
        let id = self.node_at(at, 0);
        let ty = match self.eat(Kind::Colon) {
            true => Some(self.type_expr()?),
            false => None,
        };
        Ok(Param { id, name, ty })
    }

    /// The name of a generic function: an identifier or an operator.
    pub(super) fn function_name(&mut self) -> PResult<(Name, Span)> {
        if let Some(name) = self.tok.kind.operator() {
            let tok = self.bump();
            return Ok((self.name(name), span(tok)));
        }
        if matches!(self.tok.kind, Kind::AndAnd | Kind::OrOr) {
            let hint =
                "`&&` and `||` decide whether their right side runs, so no method can replace them";
            return Err(self.unexpected_with("the name of a function", Some(hint.to_string())));
        }
        self.ident("the name of a function")
    }

    fn method_def(&mut self) -> PResult<ItemKind> {
        let (inlining, kernel) = self.modifiers()?;
        let (name, at) = self.function_name()?;
        let id = self.node_at(at, 0);
        if !self.at(Kind::LParen) {
            let hint = match self.at(Kind::LBrace) {
                true => Some(format!(
                    "type variables stand in a `where` clause: `fn {name}(x: T) where T {{ … }}`"
                )),
                false => None,
            };
            return Err(self.unexpected_with("`(` of the parameters", hint));
        }
        let saved = self.enter()?;
        let params = self.list(Kind::RParen, "`,` or `)` of the parameters", |p| {
            p.param("the name of a parameter")
        });
        let params = self.leave(saved, params)?;
        self.distinct(&params, |p| (p.id, &p.name), "parameter");
        let (ret, vars) = self.header(true, |p| p.result_and_vars())?;
        self.distinct(&vars, |p| (p.id, &p.name), "type variable");
        self.tuning = Tuning::of(kernel, self.nesting);
        let body = self.block();
        self.tuning = Tuning::NONE;
        let body = body?;
        Ok(ItemKind::Method(Arc::new(MethodDef {
            id,
            name,
            params,
            vars,
            ret,
            inlining,
            kernel,
            body,
        })))
    }

    /// `inline`, `noinline` and `kernel` in any order, and `fn`.
    fn modifiers(&mut self) -> PResult<(Inlining, bool)> {
        let mut inlining = Inlining::Auto;
        let mut kernel = false;
        while !self.eat(Kind::Fn) {
            let text = self.slice(self.tok);
            let repeated = match text {
                "inline" | "noinline" => inlining != Inlining::Auto,
                "kernel" => kernel,
                _ => return Err(self.unexpected("`fn`")),
            };
            if repeated {
                let hint = "a method is `inline` or `noinline`, and `kernel` or not";
                return Err(self.unexpected_with("`fn`", Some(hint.to_string())));
            }
            match text {
                "inline" => inlining = Inlining::Always,
                "noinline" => inlining = Inlining::Never,
                _ => kernel = true,
            }
            self.bump();
        }
        Ok((inlining, kernel))
    }

    /// `-> T` and `where …`, in any order.
    fn result_and_vars(&mut self) -> PResult<(Option<TypeExpr>, Vec<TypeParam>)> {
        let mut ret = None;
        if self.eat(Kind::Arrow) {
            ret = Some(self.type_expr()?);
        }
        let vars = self.where_clause()?;
        if ret.is_none() && self.eat(Kind::Arrow) {
            ret = Some(self.type_expr()?);
        }
        Ok((ret, vars))
    }

    /// Reports names that occur twice in a list.
    pub(super) fn distinct<T>(
        &mut self,
        list: &[T],
        get: impl Fn(&T) -> (NodeId, &Name),
        what: &str,
    ) {
        let mut met = Met::default();
        for element in list {
            let (id, name) = get(element);
            let at = self.span(id);
            if let Some(first) = met.meet(name, at) {
                self.duplicate(name, first, at, what);
            }
        }
    }

    pub(super) fn duplicate(&mut self, name: &Name, first: Span, second: Span, what: &str) {
        let errors = self.diagnostics.len();
        let message = format!("the {what} `{name}` is defined twice");
        self.report(Code::DuplicateDefinition, second, message, None);
        if self.diagnostics.len() > errors {
            self.label_last(first, "first defined here");
            if let Some(d) = self.diagnostics.last_mut() {
                d.subject = Some(name.to_string());
            }
        }
    }
}
