//! One function: its signature, its blocks, the values that they exchange.
//!
//! Invariants: a value is written where it is defined if only its own block (or what the entry
//! dominates) reads it, else it is declared at the top; a block parameter is a variable that every
//! jump assigns; what nothing needs is not written.
//!
//! Long because it is one match over every operation and its helpers.

use super::flow::Flow;
use super::spaces::Spaces;
use super::text::Text;
use super::{Generator, Traits};
use crate::data::{Elem, Leaf, Space, c_memory_type};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use worldage_dispatch::Ty;
use worldage_wir::device::FailKind;
use worldage_wir::device::reach;
use worldage_wir::ir::{Blk, Block, Body, Const, Op, Pos, Target, Term, Val};
use worldage_wir::module::{Function, Unsupported};
use worldage_wir::prim::Scalar;

/// A scalar as an expression of C, and the variables in it that jumps assign.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) text: String,
    pub(super) reads: SmallVec<[Val; 2]>,
}

/// One part of a value.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Scalar(Scalar, Operand),
    Array {
        elem: Elem,
        space: Space,
        at: Operand,
        length: Operand,
    },
}

impl Operand {
    pub(super) fn plain(text: impl Into<String>) -> Operand {
        Operand {
            text: text.into(),
            reads: SmallVec::new(),
        }
    }

    pub(super) fn join(text: String, parts: &[&Operand]) -> Operand {
        let mut reads: SmallVec<[Val; 2]> = SmallVec::new();
        for read in parts.iter().flat_map(|part| &part.reads) {
            if !reads.contains(read) {
                reads.push(*read);
            }
        }
        Operand { text, reads }
    }
}

/// A running loop of C.
struct Loop {
    header: Blk,
    /// Where `break` leads.
    after: Option<Blk>,
}

pub(super) struct Emit<'g, 'a> {
    pub(super) g: &'g mut Generator<'a>,
    pub(super) function: &'a Function,
    pub(super) body: &'a Body,
    name: String,
    pub(super) is_entry: bool,
    pub(super) traits: Traits,
    flow: Flow,
    pub(super) spaces: Spaces,
    needed: Vec<bool>,
    uses: Vec<Use>,
    slots: Vec<Option<Vec<Slot>>>,
    pub(super) text: Text,
    declared: Vec<String>,
    loops: Vec<Loop>,
    jumped: BTreeSet<(Blk, bool)>,
    current: Blk,
    temporaries: u32,
    /// Accesses that need no check.
    in_bounds: Vec<bool>,
    pub(super) shared: BTreeSet<usize>,
    ret: Vec<Leaf>,
    ret_spaces: Vec<Space>,
}

/// Who reads a value.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    count: u32,
    /// A block other than its own reads it.
    elsewhere: bool,
}

impl<'g, 'a> Emit<'g, 'a> {
    pub(super) fn new(
        g: &'g mut Generator<'a>,
        function: &'a Function,
        name: &str,
        params: &[Space],
        is_entry: bool,
    ) -> Result<Emit<'g, 'a>, Unsupported> {
        let body = &function.body;
        let (spaces, ret_spaces) = g.spaces(function.mi, params)?;
        let flow = Flow::new(body, is_entry);
        let traits = g.traits(function.mi);
        let ret = match is_entry || body.ret == Ty::BOTTOM {
            true => Vec::new(),
            false => g.leaves(body, super::ENTRY, body.ret)?,
        };
        let needed = reach::needed(body, &flow.order, !ret.is_empty());
        let uses = uses(body, &flow, &needed);
        Ok(Emit {
            g,
            function,
            body,
            name: name.to_string(),
            is_entry,
            traits,
            flow,
            spaces,
            needed,
            uses,
            slots: vec![None; body.vals.len()],
            text: Text::default(),
            declared: Vec::new(),
            loops: Vec::new(),
            jumped: BTreeSet::new(),
            current: Blk(0),
            temporaries: 0,
            in_bounds: worldage_wir::opt::bounds::in_bounds(body),
            shared: BTreeSet::new(),
            ret,
            ret_spaces: ret_spaces
                .into_iter()
                .map(|s| s.unwrap_or(Space::Global))
                .collect(),
        })
    }

    /// The function's text and the shared arrays that it is passed.
    pub(super) fn run(mut self) -> Result<(String, BTreeSet<usize>), Unsupported> {
        let params = self.params()?;
        self.text = Text::default().deeper();
        self.tree(Blk(0), None)?;
        let mut out = String::new();
        let shared = self.shared.clone();
        let mut params = params;
        if !self.is_entry {
            for &ix in &shared {
                let (elem, name) = (
                    self.g.shared[ix].elem.clone(),
                    self.g.shared[ix].name.clone(),
                );
                let pointer = self.g.pointer(&elem, Space::Local);
                params.push(format!("{pointer}{name}"));
            }
        }
        if self.is_entry || self.traits.fails {
            params.push("__global int *wa_error".to_string());
        }
        if self.waits() && !self.is_entry {
            params.push("bool *wa_stopped".to_string());
        }
        let result = self.result_type();
        let head = match self.is_entry {
            true => format!("__kernel void {}", self.name),
            false => format!("static {result} {}", self.name),
        };
        if !self.is_entry {
            out.push_str(&format!("/* {} */\n", self.function.shown));
        }
        let params = if params.is_empty() {
            "void".to_string()
        } else {
            params.join(", ")
        };
        out.push_str(&format!("{head}({params})\n{{\n"));
        let mut top = Text::default().deeper();
        if self.is_entry {
            self.shared_arrays(&mut top);
        }
        if self.is_entry && self.waits() {
            top.line("bool wa_stopped_here = false;");
            top.line("bool *wa_stopped = &wa_stopped_here;");
        }
        for line in &self.declared {
            top.line(line.clone());
        }
        top.append(self.text);
        top.render(&self.jumped, &mut out);
        out.push_str("}\n");
        Ok((out, shared))
    }

    /// Whether a work-item that fails goes on without effects, because its group waits for it.
    pub(super) fn waits(&self) -> bool {
        self.traits.waits && self.traits.fails
    }

    /// How a function says what it gives: nothing, its only scalar, or whether it failed.
    fn result_type(&mut self) -> String {
        if self.traits.fails || self.ret.len() > 1 {
            return "int".to_string();
        }
        match self.ret[..] {
            [] => "void".to_string(),
            [Leaf::Scalar(scalar)] => self.g.c_type(scalar).to_string(),
            _ => "int".to_string(),
        }
    }

    /// Whether results go through pointers.
    fn has_out(&self) -> bool {
        self.traits.fails || self.ret.len() > 1 || matches!(self.ret[..], [Leaf::Array(_)])
    }

    /// Declares the parameters; gives their text.
    fn params(&mut self) -> Result<Vec<String>, Unsupported> {
        let mut texts = Vec::new();
        for (ix, &param) in self.body.blocks[0].params.iter().enumerate() {
            let leaves = self.g.leaves(self.body, super::ENTRY, self.ty(param))?;
            let count = leaves.len();
            let mut slots = Vec::new();
            let mut arrays = self.spaces[param.0 as usize].clone().into_iter();
            for (part, leaf) in leaves.into_iter().enumerate() {
                let name = part_name(&format!("p{ix}"), part, count);
                match leaf {
                    Leaf::Scalar(Scalar::Bool) if self.is_entry => {
                        texts.push(format!("uchar {name}"));
                        let text = format!("({name} != 0)");
                        slots.push(Slot::Scalar(Scalar::Bool, Operand::plain(text)));
                    }
                    Leaf::Scalar(scalar) => {
                        texts.push(format!("{} {name}", self.g.c_type(scalar)));
                        slots.push(Slot::Scalar(scalar, Operand::plain(name)));
                    }
                    Leaf::Array(elem) => {
                        let space = arrays.next().flatten().unwrap_or(Space::Global);
                        let pointer = self.g.pointer(&elem, space);
                        texts.push(format!("{pointer}{name}"));
                        texts.push(format!("long {name}_n"));
                        slots.push(Slot::Array {
                            elem,
                            space,
                            length: Operand::plain(format!("{name}_n")),
                            at: Operand::plain(name),
                        });
                    }
                }
            }
            self.slots[param.0 as usize] = Some(slots);
        }
        if self.has_out() {
            let mut arrays = self.ret_spaces.clone().into_iter();
            for (part, leaf) in self.ret.clone().into_iter().enumerate() {
                let name = part_name("wa_result", part, self.ret.len());
                match leaf {
                    Leaf::Scalar(scalar) => {
                        texts.push(format!("{} *{name}", self.g.c_type(scalar)));
                    }
                    Leaf::Array(elem) => {
                        let space = arrays.next().unwrap_or(Space::Global);
                        let pointer = self.g.pointer(&elem, space);
                        texts.push(format!("{pointer}*{name}"));
                        texts.push(format!("long *{name}_n"));
                    }
                }
            }
        }
        Ok(texts)
    }

    /// Declares and clears what the work-group shares.
    fn shared_arrays(&mut self, top: &mut Text) {
        if self.shared.is_empty() {
            return;
        }
        for &ix in &self.shared {
            let shared = &self.g.shared[ix];
            let (ty, count) = match shared.elem.scalar() {
                Some(scalar) => (c_memory_type(scalar), shared.length),
                None => ("uchar", shared.length * shared.elem.size as u64),
            };
            let (count, align) = (
                count.max(1),
                match shared.elem.scalar() {
                    Some(_) => "",
                    None => " __attribute__((aligned(8)))",
                },
            );
            top.line(format!("__local {ty} {}[{count}]{align};", shared.name));
        }
        top.open("{");
        top.line("size_t wa_at = (get_local_id(2) * get_local_size(1) + get_local_id(1)) * get_local_size(0) + get_local_id(0);");
        top.line("size_t wa_step = get_local_size(0) * get_local_size(1) * get_local_size(2);");
        for &ix in &self.shared {
            let shared = &self.g.shared[ix];
            let count = match shared.elem.scalar() {
                Some(_) => shared.length,
                None => shared.length * shared.elem.size as u64,
            };
            top.line(format!(
                "for (size_t k = wa_at; k < {count}; k += wa_step) {}[k] = 0;",
                shared.name
            ));
        }
        top.line("barrier(CLK_LOCAL_MEM_FENCE);");
        top.close("}");
    }

    // Blocks.

    /// Writes a block and what it dominates; `next` is where control goes at the end of the text.
    fn tree(&mut self, blk: Blk, next: Option<Blk>) -> Result<(), Unsupported> {
        let (inside, outside) = self.flow.follows(blk);
        if !self.flow.is_header(blk) {
            return self.within(blk, &inside, next);
        }
        self.text.open("for (;;) {");
        self.text.again(blk);
        let after = outside.first().copied().or(next);
        self.loops.push(Loop { header: blk, after });
        self.within(blk, &inside, Some(blk))?;
        self.loops.pop();
        self.text.close("}");
        self.chain(&outside, next)
    }

    fn chain(&mut self, blocks: &[Blk], next: Option<Blk>) -> Result<(), Unsupported> {
        for (ix, blk) in blocks.iter().enumerate() {
            self.text.label(*blk);
            self.tree(*blk, blocks.get(ix + 1).copied().or(next))?;
        }
        Ok(())
    }

    fn within(&mut self, blk: Blk, follows: &[Blk], next: Option<Blk>) -> Result<(), Unsupported> {
        let body = self.body;
        let block = &body.blocks[blk.0 as usize];
        self.current = blk;
        if blk.0 != 0 {
            self.declare_params(block)?;
        }
        for inst in &block.insts {
            if self.needed[inst.result.0 as usize] || !inst.op.is_pure() {
                self.inst(inst)?;
            }
        }
        self.term(block, follows.first().copied().or(next))?;
        self.chain(follows, next)
    }

    fn declare_params(&mut self, block: &Block) -> Result<(), Unsupported> {
        for &param in &block.params {
            self.declare_param(param, block.term_pos)?;
        }
        Ok(())
    }

    /// The variables of a block parameter, made at its first mention.
    fn declare_param(&mut self, param: Val, pos: Pos) -> Result<(), Unsupported> {
        if !self.needed[param.0 as usize] || self.slots[param.0 as usize].is_some() {
            return Ok(());
        }
        let mut slots = self.variables(param, pos)?;
        for slot in &mut slots {
            match slot {
                Slot::Scalar(_, operand) => operand.reads.push(param),
                Slot::Array { at, length, .. } => {
                    at.reads.push(param);
                    length.reads.push(param);
                }
            }
        }
        self.slots[param.0 as usize] = Some(slots);
        Ok(())
    }

    /// Declares variables for a value at the top of the function.
    pub(super) fn variables(&mut self, val: Val, pos: Pos) -> Result<Vec<Slot>, Unsupported> {
        let leaves = self.g.leaves(self.body, pos, self.ty(val))?;
        let count = leaves.len();
        let mut arrays = self.spaces[val.0 as usize].clone().into_iter();
        let mut slots = Vec::new();
        for (part, leaf) in leaves.into_iter().enumerate() {
            let name = part_name(&format!("v{}", val.0), part, count);
            match leaf {
                Leaf::Scalar(scalar) => {
                    let ty = self.g.c_type(scalar);
                    self.declared.push(format!("{ty} {name} = 0;"));
                    slots.push(Slot::Scalar(scalar, Operand::plain(name)));
                }
                Leaf::Array(elem) => {
                    let space = arrays.next().flatten().unwrap_or(Space::Global);
                    let pointer = self.g.pointer(&elem, space);
                    self.declared.push(format!("{pointer}{name} = 0;"));
                    self.declared.push(format!("long {name}_n = 0;"));
                    slots.push(Slot::Array {
                        elem,
                        space,
                        length: Operand::plain(format!("{name}_n")),
                        at: Operand::plain(name),
                    });
                }
            }
        }
        Ok(slots)
    }

    fn term(&mut self, block: &Block, next: Option<Blk>) -> Result<(), Unsupported> {
        match &block.term {
            Term::Jump(target) => self.edge(target, block.term_pos, next),
            Term::Branch(condition, then, other) => {
                let condition = self.scalar(*condition).text;
                let yes = self.piece(then, block.term_pos, next)?;
                let no = self.piece(other, block.term_pos, next)?;
                if ["break;", "continue;", "return;"]
                    .iter()
                    .any(|only| no.is_only(only))
                {
                    self.text
                        .line(format!("if (!{})", parenthesised(&condition)));
                    self.text.append(no);
                    self.text.append_outdented(yes);
                } else if no.is_empty() && yes.is_empty() {
                } else if yes.is_empty() {
                    self.text
                        .line(format!("if (!{}) {{", parenthesised(&condition)));
                    self.text.append(no);
                    self.text.line("}");
                } else {
                    self.text.line(format!("if ({}) {{", bare(&condition)));
                    self.text.append(yes);
                    if !no.is_empty() {
                        self.text.line("} else {");
                        self.text.append(no);
                    }
                    self.text.line("}");
                }
                Ok(())
            }
            Term::Return(val) => self.give(*val, next),
            Term::Fail(failure) => {
                let site = self.g.site(
                    FailKind::Failure(failure.clone()),
                    self.body,
                    block.term_pos,
                );
                let fail = self.g.helper(super::helpers::Helper::Fail);
                match (self.is_entry, self.waits()) {
                    (true, _) => {
                        let guard = if self.waits() {
                            "if (!*wa_stopped) "
                        } else {
                            ""
                        };
                        self.text.line(format!("{guard}{fail}(wa_error, {site});"));
                        self.text.line("return;");
                    }
                    (false, false) => self.text.line(format!("return {fail}(wa_error, {site});")),
                    (false, true) => {
                        self.text
                            .line(format!("if (!*wa_stopped) {fail}(wa_error, {site});"));
                        self.text.line("*wa_stopped = true;");
                        self.text.line("return 0;");
                    }
                }
                Ok(())
            }
            Term::Unreachable => {
                let is_void = self.is_entry || self.result_type() == "void";
                self.text
                    .line(if is_void { "return;" } else { "return 0;" });
                Ok(())
            }
        }
    }

    fn give(&mut self, val: Val, next: Option<Blk>) -> Result<(), Unsupported> {
        let void = !self.has_out() && self.ret.is_empty();
        if void || self.is_entry {
            if next.is_some() || !self.loops.is_empty() {
                self.text.line("return;");
            }
            return Ok(());
        }
        let slots = if self.ret.is_empty() {
            Vec::new()
        } else {
            self.slots_of(val)
        };
        if !self.has_out() {
            let [Slot::Scalar(_, operand)] = &slots[..] else {
                unreachable!("only a scalar is given directly")
            };
            self.text.line(format!("return {};", bare(&operand.text)));
            return Ok(());
        }
        for (part, slot) in slots.iter().enumerate() {
            let name = part_name("wa_result", part, slots.len());
            match slot {
                Slot::Scalar(_, operand) => {
                    self.text
                        .line(format!("*{name} = {};", bare(&operand.text)));
                }
                Slot::Array { at, length, .. } => {
                    self.text.line(format!("*{name} = {};", at.text));
                    self.text.line(format!("*{name}_n = {};", length.text));
                }
            }
        }
        self.text.line("return 0;");
        Ok(())
    }

    /// The text of one side of a branch.
    fn piece(&mut self, target: &Target, pos: Pos, next: Option<Blk>) -> Result<Text, Unsupported> {
        let deeper = self.text.deeper();
        let outer = std::mem::replace(&mut self.text, deeper);
        let here = self.current;
        let result = self.edge(target, pos, next);
        self.current = here;
        let piece = std::mem::replace(&mut self.text, outer);
        result.map(|()| piece)
    }

    /// Assigns the target's parameters and goes there.
    fn edge(&mut self, target: &Target, pos: Pos, next: Option<Blk>) -> Result<(), Unsupported> {
        self.assign(target, pos)?;
        let blk = target.block;
        if self.flow.is_return(blk) {
            if next.is_some() {
                self.text.line("return;");
            }
            return Ok(());
        }
        // The way back to a header is no way into its loop.
        let is_back = self.loops.iter().any(|open| open.header == blk);
        if self.flow.is_nested(blk) && !is_back {
            return self.tree(blk, next);
        }
        if next == Some(blk) {
            return Ok(());
        }
        match self.loops.last() {
            Some(inner) if inner.header == blk => self.text.line("continue;"),
            Some(inner) if inner.after == Some(blk) => self.text.line("break;"),
            _ => {
                // An outer loop's header is gone on with; everything else is entered.
                let again = is_back;
                let label = if again { "again" } else { "L" };
                self.jumped.insert((blk, again));
                self.text.line(format!("goto {label}{};", blk.0));
            }
        }
        Ok(())
    }

    fn assign(&mut self, target: &Target, pos: Pos) -> Result<(), Unsupported> {
        let params = &self.body.blocks[target.block.0 as usize].params;
        let mut moves: Vec<(Val, String, &'static str, Operand)> = Vec::new();
        for (&param, &arg) in params.iter().zip(&target.args) {
            if !self.needed[param.0 as usize] {
                continue;
            }
            self.declare_param(param, pos)?;
            let (to, from) = (self.slots_of(param), self.slots_of(arg));
            for (to, from) in to.into_iter().zip(from) {
                match (to, from) {
                    (Slot::Scalar(scalar, to), Slot::Scalar(_, from)) => {
                        moves.push((param, to.text, self.g.c_type(scalar), from));
                    }
                    (
                        Slot::Array { at, length, .. },
                        Slot::Array {
                            at: from_at,
                            length: from_length,
                            ..
                        },
                    ) => {
                        moves.push((param, at.text, "", from_at));
                        moves.push((param, length.text, "long", from_length));
                    }
                    _ => unreachable!("a jump passes values of the parameters' types"),
                }
            }
        }
        moves.retain(|(_, to, _, from)| *to != from.text);
        // A move that reads what an earlier one writes reads the old value through a temporary.
        for ix in 1..moves.len() {
            let clobbered = moves[..ix]
                .iter()
                .any(|(param, ..)| moves[ix].3.reads.contains(param) && *param != moves[ix].0);
            if clobbered {
                self.temporaries += 1;
                let name = format!("t{}", self.temporaries);
                let (_, to, ty, from) = &moves[ix];
                if ty.is_empty() {
                    // Pointers: the type is that of the variable.
                    self.text
                        .line(format!("__typeof__({to}) {name} = {};", from.text));
                } else {
                    self.text
                        .line(format!("{ty} {name} = {};", bare(&from.text)));
                }
                moves[ix].3 = Operand::plain(name);
            }
        }
        for (_, to, _, from) in moves {
            self.text.line(format!("{to} = {};", bare(&from.text)));
        }
        Ok(())
    }

    // Values.

    pub(super) fn ty(&self, val: Val) -> Ty {
        self.body.vals[val.0 as usize]
    }

    pub(super) fn slots_of(&self, val: Val) -> Vec<Slot> {
        let slots = self.slots[val.0 as usize].clone();
        slots.expect("a value that is read was written before")
    }

    /// The expression of a scalar.
    pub(super) fn scalar(&self, val: Val) -> Operand {
        match &self.slots_of(val)[..] {
            [Slot::Scalar(_, operand)] => operand.clone(),
            other => unreachable!("a scalar was expected: {other:?}"),
        }
    }

    pub(super) fn set(&mut self, val: Val, slots: Vec<Slot>) {
        self.slots[val.0 as usize] = Some(slots);
    }

    /// Whether an access cannot be out of bounds.
    pub(super) fn is_in_bounds(&self, access: Val) -> bool {
        self.in_bounds.get(access.0 as usize) == Some(&true)
    }

    pub(super) fn is_needed(&self, val: Val) -> bool {
        self.needed[val.0 as usize]
    }

    /// Defines a scalar by an expression; `pure` if the expression can be written where it is
    /// read.
    pub(super) fn define(&mut self, val: Val, scalar: Scalar, value: Operand, pure: bool) {
        let of = self.uses[val.0 as usize];
        if pure && of.count <= 1 && !of.elsewhere && value.text.len() < 60 {
            self.set(val, vec![Slot::Scalar(scalar, value)]);
            return;
        }
        let name = format!("v{}", val.0);
        let ty = self.g.c_type(scalar);
        if of.elsewhere && (self.current != Blk(0) || self.in_loop()) {
            self.declared.push(format!("{ty} {name} = 0;"));
            self.text.line(format!("{name} = {};", bare(&value.text)));
        } else {
            self.text
                .line(format!("const {ty} {name} = {};", bare(&value.text)));
        }
        self.set(val, vec![Slot::Scalar(scalar, Operand::plain(name))]);
    }

    pub(super) fn constant(
        &mut self,
        val: Val,
        constant: &Const,
        pos: Pos,
    ) -> Result<(), Unsupported> {
        let scalar = match constant {
            Const::Unit => {
                self.set(val, Vec::new());
                return Ok(());
            }
            Const::Str(_) => {
                return Err(self.g.refuse(self.body, pos, crate::data::NoData::String));
            }
            _ => match &self.g.leaves(self.body, pos, self.ty(val))?[..] {
                [Leaf::Scalar(scalar)] => *scalar,
                _ => unreachable!("a constant scalar is one"),
            },
        };
        let _ = self.g.c_type(scalar);
        let text = super::prim::literal(scalar, constant);
        self.set(val, vec![Slot::Scalar(scalar, Operand::plain(text))]);
        Ok(())
    }

    /// A new name for a variable.
    pub(super) fn temporary(&mut self) -> String {
        self.temporaries += 1;
        format!("t{}", self.temporaries)
    }

    /// A declaration at the top of the function.
    pub(super) fn declare(&mut self, text: String) {
        self.declared.push(text);
    }

    pub(super) fn in_loop(&self) -> bool {
        self.flow.in_loop(self.current)
    }
}

/// The name of one part of a value.
pub(super) fn part_name(name: &str, part: usize, count: usize) -> String {
    if count == 1 {
        name.to_string()
    } else {
        format!("{name}_{part}")
    }
}

/// Without the parentheses around all of it.
pub(super) fn bare(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else {
        return text;
    };
    let mut depth = 0i32;
    for c in inner.chars() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth < 0 {
            return text;
        }
    }
    inner
}

fn parenthesised(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain || bare(text).len() < text.len() {
        text.to_string()
    } else {
        format!("({text})")
    }
}

fn uses(body: &Body, flow: &Flow, needed: &[bool]) -> Vec<Use> {
    let mut uses = vec![Use::default(); body.vals.len()];
    let mut home = vec![Blk(u32::MAX); body.vals.len()];
    for blk in &flow.order {
        let block = &body.blocks[blk.0 as usize];
        for param in &block.params {
            home[param.0 as usize] = *blk;
        }
        for inst in &block.insts {
            home[inst.result.0 as usize] = *blk;
        }
    }
    for blk in &flow.order {
        let block = &body.blocks[blk.0 as usize];
        let mut count = |val: Val, alias: bool| {
            let of = &mut uses[val.0 as usize];
            // A struct or field is another name of its parts, which may be read anywhere.
            of.count += if alias { 2 } else { 1 };
            of.elsewhere |= alias || home[val.0 as usize] != *blk;
        };
        for inst in &block.insts {
            if !inst.op.is_pure() || needed[inst.result.0 as usize] {
                let alias = matches!(inst.op, Op::Make(_) | Op::Field(..));
                inst.op.each_operand(|val| count(val, alias));
            }
        }
        match &block.term {
            Term::Branch(condition, ..) => count(*condition, false),
            Term::Return(val) => count(*val, false),
            _ => {}
        }
        block.term.each_passed(&body.blocks, |param, arg| {
            if needed[param.0 as usize] {
                count(arg, false);
            }
        });
    }
    uses
}
