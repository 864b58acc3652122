//! Statements, blocks and loops.

use super::code::{Body, Node, St};
use super::machine::{Eval, Frame, Interp, Stop};
use super::ops::convert_bound;
use crate::ast::NodeId;
use crate::prim::ScalarValue;
use crate::value::Value;

impl Interp<'_> {
    pub(super) fn block(&mut self, f: &Frame<'_>, body: &Body) -> Eval {
        let Some((last, rest)) = body.stmts.split_last() else {
            return Ok(Value::Nothing);
        };
        for stmt in rest {
            self.stmt(f, stmt)?;
        }
        match last {
            St::Expr(node) => self.eval(f, node),
            stmt => self.stmt(f, stmt),
        }
    }

    #[inline(never)]
    fn stmt(&mut self, f: &Frame<'_>, stmt: &St) -> Eval {
        match stmt {
            St::Expr(node) => return self.eval(f, node),
            St::Set(slot, node) => {
                let value = self.eval(f, node)?;
                self.locals[f.base + slot] = value;
            }
            St::Tune(slot, name, choices) => {
                let choice = self.schedule.choose(name, choices);
                let choice = choice.expect("the parser lets no list be empty");
                self.locals[f.base + slot] = choice.value().into();
            }
            St::SetIndex(id, nodes) => self.set_index(f, *id, nodes)?,
            St::While(condition, body) => self.while_loop(f, condition, body)?,
            St::For(slot, bounds, body) => self.for_loop(f, *slot, bounds, body)?,
            St::Return(id, node) => {
                let value = match node {
                    Some(node) => self.eval(f, node)?,
                    None => Value::Nothing,
                };
                self.check_result(f, *id, &value)?;
                self.returned = value;
                return Err(Stop::Return);
            }
            St::Break => return Err(Stop::Break),
            St::Continue => return Err(Stop::Continue),
            St::Unknown(name, node, id) => {
                self.eval(f, node)?;
                let error = self.unknown_variable(name);
                return Err(self.at(f, *id, error));
            }
        }
        Ok(Value::Nothing)
    }

    #[inline(never)]
    fn set_index(&mut self, f: &Frame<'_>, id: NodeId, nodes: &[Node; 3]) -> Eval<()> {
        let array = self.eval(f, &nodes[0])?;
        let index = self.eval(f, &nodes[1])?;
        let value = self.eval(f, &nodes[2])?;
        self.store(&array, &index, value)
            .map_err(|error| self.at(f, id, error))
    }

    pub(super) fn condition(&mut self, f: &Frame<'_>, node: &Node) -> Eval<bool> {
        let value = self.eval(f, node)?;
        match value {
            Value::Scalar(ScalarValue::Bool(x)) => Ok(x),
            _ => Err(self.no_bool(f, node.id, &value)),
        }
    }

    #[cold]
    fn no_bool(&self, f: &Frame<'_>, node: NodeId, value: &Value) -> Stop {
        let error = self.mismatch("a condition", self.u.prelude().bool, value.ty(self.u));
        self.at(f, node, error)
    }

    /// Runs a loop's body once; whether the loop goes on.
    fn round(&mut self, f: &Frame<'_>, body: &Body) -> Eval<bool> {
        match self.block(f, body) {
            Ok(_) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    #[inline(never)]
    fn while_loop(&mut self, f: &Frame<'_>, condition: &Node, body: &Body) -> Eval<()> {
        while self.condition(f, condition)? {
            if !self.round(f, body)? {
                break;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn for_loop(
        &mut self,
        f: &Frame<'_>,
        slot: usize,
        bounds: &[Node; 2],
        body: &Body,
    ) -> Eval<()> {
        let first = self.eval(f, &bounds[0])?;
        let last = self.eval(f, &bounds[1])?;
        let (first, scalar) = match self.bound(&first, &last, 0) {
            Ok(bound) => bound,
            Err(error) => return Err(self.at(f, bounds[0].id, error)),
        };
        let last = match self.bound(&Value::Nothing, &last, 1) {
            Ok((last, own)) => convert_bound(last, own, scalar),
            Err(error) => Err(error),
        };
        let last = last.map_err(|error| self.at(f, bounds[1].id, error))?;
        for i in first..last {
            self.locals[f.base + slot] = Value::Scalar(ScalarValue::wrap(scalar, i));
            if !self.round(f, body)? {
                break;
            }
        }
        Ok(())
    }
}
