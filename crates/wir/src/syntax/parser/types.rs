//! Types, type parameters and `where` clauses.

use super::{Context, Kind, PResult, Parser, Token, span};
use crate::ast::*;

impl Parser<'_> {
    /// `NAME`, `NAME{ARGS}` or `typeof(f)`, the singleton type of a function.
    pub(super) fn type_expr(&mut self) -> PResult<TypeExpr> {
        let tok = self.tok;
        let (name, _) = self.ident("a type")?;
        let args = if &*name == "typeof" && self.at(Kind::LParen) {
            Some(self.singleton()?)
        } else {
            self.type_args_after(tok, |kind| {
                matches!(
                    kind,
                    Kind::LBrace | Kind::Comma | Kind::Where | Kind::Arrow | Kind::Subtype
                )
            })?
        };
        self.finish_type(tok.lo, name, args)
    }

    pub(super) fn finish_type(
        &mut self,
        lo: u32,
        name: Name,
        args: Option<Vec<TypeArg>>,
    ) -> PResult<TypeExpr> {
        let children = args.iter().flatten().map(|arg| match arg {
            TypeArg::Type(ty) => self.height(ty.id),
            TypeArg::Int(id, _) => self.height(*id),
        });
        let children = children.max().unwrap_or(0);
        let id = self.node(lo, children);
        Ok(TypeExpr { id, name, args })
    }

    /// `(f)` after `typeof`.
    fn singleton(&mut self) -> PResult<Vec<TypeArg>> {
        let saved = self.enter()?;
        let result = self.singleton_name();
        self.leave(saved, result)
    }

    fn singleton_name(&mut self) -> PResult<Vec<TypeArg>> {
        let (name, at) = self.function_name()?;
        let id = self.node_at(at, 0);
        let args = None;
        self.close("`)` after the function")?;
        Ok(vec![TypeArg::Type(TypeExpr { id, name, args })])
    }

    /// The type arguments after a name, if a `{` touches it. Where a block follows, a brace that
    /// cannot be type arguments, or is not followed by what `follows` allows, is the block's:
    /// that is reported and the brace left alone.
    pub(super) fn type_args_after(
        &mut self,
        name: Token,
        follows: impl FnOnce(Kind) -> bool,
    ) -> PResult<Option<Vec<TypeArg>>> {
        if !self.at(Kind::LBrace) || !self.tok.touches {
            return Ok(None);
        }
        if !self.context.before_block {
            return self.type_args().map(Some);
        }
        let mark = self.mark();
        match self.type_args() {
            Ok(args) if follows(self.tok.kind) && !self.line_ended() => return Ok(Some(args)),
            _ => self.reset(mark),
        }
        self.touching_brace(name);
        Ok(None)
    }

    /// Reports that the next token, the `{` of a block, touches a name.
    pub(super) fn touching_brace(&mut self, name: Token) {
        let text = self.slice(name);
        let message = format!("`{{` touches `{text}`, so it begins type arguments");
        let hint = format!("add a space before the brace of the block: `{text} {{`");
        self.error(span(self.tok), message, Some(hint));
    }

    /// `{A, 3, B}`
    fn type_args(&mut self) -> PResult<Vec<TypeArg>> {
        let saved = self.enter()?;
        let result = self.on_enough_stack(|p| {
            let what = "`,` or `}` of the type arguments";
            p.list(Kind::RBrace, what, |p| p.type_arg())
        });
        self.leave(saved, result)
    }

    fn type_arg(&mut self) -> PResult<TypeArg> {
        let lo = self.tok.lo;
        let negative = self.at(Kind::Minus) && self.peek().kind == Kind::Int;
        if negative {
            self.bump();
        }
        if self.at(Kind::Int) {
            let tok = self.bump();
            let value = self.int_value(tok, negative)?;
            return Ok(TypeArg::Int(self.node(lo, 0), value));
        }
        self.type_expr().map(TypeArg::Type)
    }

    /// Elements with commas between, up to the closing token of the bracket just entered.
    pub(super) fn list<T>(
        &mut self,
        closer: Kind,
        what: &str,
        element: impl FnMut(&mut Self) -> PResult<T>,
    ) -> PResult<Vec<T>> {
        // Most lists hold one or two elements, for as long as the tree lives.
        let list = Vec::with_capacity(if self.at(closer) { 0 } else { 2 });
        self.list_onto(list, closer, what, element)
    }

    /// The same, behind what stands in `list`.
    pub(super) fn list_onto<T>(
        &mut self,
        mut list: Vec<T>,
        closer: Kind,
        what: &str,
        mut element: impl FnMut(&mut Self) -> PResult<T>,
    ) -> PResult<Vec<T>> {
        while !self.at(closer) {
            list.push(element(self)?);
            if !self.eat(Kind::Comma) {
                break;
            }
        }
        self.close(what)?;
        list.shrink_to_fit();
        Ok(list)
    }

    /// `T` or `T <: Upper`
    pub(super) fn type_param(&mut self) -> PResult<TypeParam> {
        let (name, at) = self.ident("a type variable")?;
        let id = self.node_at(at, 0);
        let upper = match self.eat(Kind::Subtype) {
            true => Some(self.type_expr()?),
            false => None,
        };
        Ok(TypeParam { id, name, upper })
    }

    /// `{A, B <: Number}` after the name of a type that is being declared.
    pub(super) fn declared_params(&mut self, name: Token) -> PResult<Vec<TypeParam>> {
        if !self.at(Kind::LBrace) || !self.tok.touches {
            return Ok(Vec::new());
        }
        let mark = self.mark();
        let saved = self.enter()?;
        let params = self.list(Kind::RBrace, "`,` or `}` of the type parameters", |p| {
            p.type_param()
        });
        let params = self.leave(saved, params);
        // `struct P{ x: T }` and `struct P{}` are meant as a body.
        match params {
            Ok(params) if !params.is_empty() => return Ok(params),
            Err(reported) if !self.at(Kind::Colon) => return Err(reported),
            _ => self.reset(mark),
        }
        let text = self.slice(name);
        let message = format!("`{{` touches `{text}`, so it begins type parameters");
        let hint = format!("add a space before the brace of the fields: `{text} {{`");
        self.error(span(self.tok), message, Some(hint));
        Ok(Vec::new())
    }

    /// `where A, B <: Number`, or nothing.
    pub(super) fn where_clause(&mut self) -> PResult<Vec<TypeParam>> {
        let mut vars = Vec::new();
        if !self.eat(Kind::Where) {
            return Ok(vars);
        }
        loop {
            vars.push(self.type_param()?);
            if !self.eat(Kind::Comma) {
                return Ok(vars);
            }
        }
    }

    /// Runs a rule that a block follows: line ends mean nothing yet, a touching brace may be a slip.
    pub(super) fn header<T>(
        &mut self,
        free_lines: bool,
        rule: impl FnOnce(&mut Self) -> PResult<T>,
    ) -> PResult<T> {
        let saved = self.context;
        self.context = Context {
            free_lines: free_lines || saved.free_lines,
            before_block: true,
        };
        let result = rule(self);
        self.context = saved;
        result
    }
}
