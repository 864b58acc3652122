//! Values, and what running code asks for: memory, dispatch, arithmetic, the host.
//!
//! A value is a word: an odd one is an integer of 63 bits, an even one the address of an object,
//! whose first word says its type and how many words follow. Objects of the program (constants)
//! live as long as its [`Objects`]; those that a call makes are freed together when it ends.
//!
//! Invariant: a helper returns 0 only after it has said why in the context, and panics never.
#![expect(
    unsafe_code,
    reason = "values are words, and generated code calls this file"
)]

use crate::compiler::{Constant, Lisp, PRIMITIVES};
use crate::syntax::MAX_PARAMS;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use worldage::embed::{CodeInstance, Linked, OneShard, Session, Ty, World};

/// Types of the language by number; later numbers are the program's.
pub const TYPES: [&str; 6] = ["Nil", "Bool", "Int", "Float", "Str", "Fn"];
/// The number of `Nil`.
pub const NIL: usize = 0;
/// The number of `Bool`.
pub const BOOL: usize = 1;
/// The number of `Int`.
pub const INT: usize = 2;
/// The number of `Float`.
pub const FLOAT: usize = 3;
/// The number of `Str`.
pub const STR: usize = 4;
/// The number of `Fn`.
pub const FN: usize = 5;

/// A value as the host sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Str(Arc<str>),
    /// A function by name, or what stands for one.
    Function(Arc<str>),
    /// A record: its type's name and its fields.
    Record(Arc<str>, Vec<Value>),
    /// A record too deep in others to be shown.
    Deep,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(x) => x.fmt(f),
            Value::Int(x) => x.fmt(f),
            Value::Float(x) => fmt::Debug::fmt(x, f),
            Value::Str(text) => fmt::Debug::fmt(text, f),
            Value::Function(name) => write!(f, "'{name}"),
            Value::Deep => f.write_str("…"),
            Value::Record(name, fields) => {
                write!(f, "({name}")?;
                fields.iter().try_for_each(|field| write!(f, " {field}"))?;
                f.write_str(")")
            }
        }
    }
}

type Run = dyn Fn(&[Value]) -> Result<Value, String> + Send + Sync;

/// A function of the host; equal to itself alone.
#[derive(Clone)]
pub struct HostFunction(Arc<Box<Run>>);

impl HostFunction {
    pub(crate) fn new(run: Box<Run>) -> HostFunction {
        HostFunction(Arc::new(run))
    }

    pub(crate) fn address(&self) -> *const u8 {
        Arc::as_ptr(&self.0).cast()
    }
}

impl PartialEq for HostFunction {
    fn eq(&self, other: &HostFunction) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostFunction")
    }
}

/// What lives as long as the program: the numbers of types, and constants.
#[derive(Default)]
pub struct Objects(Mutex<Known>);

#[derive(Default)]
struct Known {
    types: Vec<(Ty, Arc<str>)>,
    /// The functions that constants name, by the number in the object.
    functions: Vec<Arc<str>>,
    constants: HashMap<Constant, Box<[u64]>>,
}

impl Objects {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_type(&self, ty: Ty, name: &str) {
        self.known().types.push((ty, name.into()));
    }

    pub(crate) fn ty(&self, number: usize) -> Ty {
        self.known().types[number].0
    }

    /// The number of a type that records have.
    pub(crate) fn number(&self, ty: Ty) -> usize {
        let known = self.known();
        let number = known.types.iter().position(|(known, _)| *known == ty);
        number.expect("a type of records has a number")
    }

    /// The address of a constant's object; equal ones are one.
    pub(crate) fn constant(&self, constant: &Constant) -> *const u8 {
        let mut known = self.known();
        if !known.constants.contains_key(constant) {
            let object: Vec<u64> = match constant {
                Constant::Nil => vec![header(NIL, 0)],
                Constant::Bool(x) => vec![header(BOOL, 1), u64::from(*x)],
                // The table keeps the text.
                Constant::Str(text) => string(text).to_vec(),
                Constant::Function(name) => {
                    known.functions.push(Arc::clone(name));
                    let number = i64::try_from(known.functions.len() - 1).unwrap_or(0);
                    vec![header(FN, 1), word_of_int(number).cast_unsigned()]
                }
                Constant::Int(_) | Constant::Float(_) => unreachable!("code holds numbers itself"),
            };
            known.constants.insert(constant.clone(), object.into());
        }
        known.constants[constant].as_ptr().cast()
    }
}

fn header(ty: usize, words: usize) -> u64 {
    ty as u64 | (words as u64) << 32
}

fn string(text: &str) -> [u64; 3] {
    [header(STR, 2), text.as_ptr() as u64, text.len() as u64]
}

pub(crate) const fn word_of_int(x: i64) -> i64 {
    x << 1 | 1
}

/// A running call, and all that belongs to it. Code reads the first three fields.
#[repr(C)]
pub struct Context {
    args: [u64; 2 * MAX_PARAMS],
    target: usize,
    stack_limit: usize,
    session: Session<Lisp>,
    world: World,
    print: Arc<dyn Fn(&str) + Send + Sync>,
    error: Option<String>,
    chunks: Vec<Vec<u64>>,
    words: usize,
    strings: Vec<Arc<str>>,
    /// What calls that are dispatched here have met: function and types to arity and code.
    met: HashMap<(u64, Vec<u64>), Arc<CodeInstance<Lisp>>>,
}

/// Words in a piece of memory, and in all of a call's.
const CHUNK: usize = 1 << 16;
const MAX_WORDS: usize = 1 << 27;

/// How deep a value that the host gets may nest.
const MAX_DEPTH: usize = 500;

impl Context {
    pub(crate) const ARGS: i32 = std::mem::offset_of!(Context, args) as i32;
    pub(crate) const TARGET: i32 = std::mem::offset_of!(Context, target) as i32;
    pub(crate) const STACK_LIMIT: i32 = std::mem::offset_of!(Context, stack_limit) as i32;

    /// Calls a method without parameters in a world that is held, with so much stack below.
    pub(crate) fn run(
        session: Session<Lisp>,
        world: World,
        print: Arc<dyn Fn(&str) + Send + Sync>,
        code: &CodeInstance<Lisp>,
        stack: usize,
    ) -> Result<Value, String> {
        let here = 0u8;
        let lisp = session.compiler();
        let entry = lisp.entry()?;
        let mut context = Context {
            args: [0; 2 * MAX_PARAMS],
            target: code.linked().entry(),
            stack_limit: (&raw const here as usize).saturating_sub(stack),
            session: session.clone(),
            world,
            print,
            error: None,
            chunks: Vec::new(),
            words: 0,
            strings: Vec::new(),
            met: HashMap::new(),
        };
        // SAFETY: the entry calls the target, which is code of a method without parameters, with
        // the context; that is alive, and nothing else uses it meanwhile.
        let word = unsafe {
            let entry: extern "C" fn(*mut Context) -> u64 = std::mem::transmute(entry);
            entry(&raw mut context)
        };
        match word {
            0 => Err(context.error.unwrap_or_else(|| "no value came".into())),
            word => Ok(context.value(word, 0)),
        }
    }

    fn fail(&mut self, why: impl fmt::Display) -> u64 {
        self.error = Some(why.to_string());
        0
    }

    fn alloc(&mut self, ty: usize, words: &[u64]) -> u64 {
        let count = words.len() + 1;
        if self.words + count > MAX_WORDS {
            return self.fail("out of memory: a call has 1 GiB");
        }
        let full = |chunk: &Vec<u64>| chunk.len() + count > chunk.capacity();
        if self.chunks.last().is_none_or(full) {
            self.chunks.push(Vec::with_capacity(CHUNK.max(count)));
        }
        self.words += count;
        let chunk = self.chunks.last_mut().expect("one was pushed");
        let at = chunk.len();
        chunk.push(header(ty, words.len()));
        chunk.extend_from_slice(words);
        // A chunk never grows beyond its capacity, so it never moves.
        &raw const chunk[at] as u64
    }

    fn string(&mut self, text: Arc<str>) -> u64 {
        let [_, at, len] = string(&text);
        self.strings.push(text);
        self.alloc(STR, &[at, len])
    }

    fn constant(&self, constant: &Constant) -> u64 {
        self.session.compiler().objects.constant(constant) as u64
    }

    /// A value of the host as one of the program.
    fn word(&mut self, value: &Value) -> u64 {
        match value {
            Value::Nil => self.constant(&Constant::Nil),
            Value::Bool(x) => self.constant(&Constant::Bool(*x)),
            Value::Int(x) if x.unsigned_abs() < 1 << 62 => word_of_int(*x).cast_unsigned(),
            Value::Int(x) => self.fail(format!("{x} is beyond 63 bits")),
            Value::Float(x) => self.alloc(FLOAT, &[x.to_bits()]),
            Value::Str(text) => self.string(Arc::clone(text)),
            Value::Function(name) => self.constant(&Constant::Function(Arc::clone(name))),
            Value::Record(..) | Value::Deep => {
                self.fail("the host gives numbers, strings and functions, no records")
            }
        }
    }

    fn value(&self, word: u64, depth: usize) -> Value {
        let known = &self.session.compiler().objects;
        let function = |number: u64| Arc::clone(&known.known().functions[(number >> 1) as usize]);
        match number_of(word) {
            INT => Value::Int(int(word)),
            NIL => Value::Nil,
            BOOL => Value::Bool(fields(word)[0] != 0),
            FLOAT => Value::Float(f64::from_bits(fields(word)[0])),
            STR => Value::Str(text(word).into()),
            FN => Value::Function(match fields(word)[0] {
                number if number & 1 == 1 => function(number),
                named => function(fields(named)[0]),
            }),
            _ if depth == MAX_DEPTH => Value::Deep,
            number => {
                let name = Arc::clone(&known.known().types[number].1);
                let fields = fields(word)
                    .iter()
                    .map(|field| self.value(*field, depth + 1));
                Value::Record(name, fields.collect())
            }
        }
    }

    /// Finds the code for a call of a function value on the arguments in place, and gives the
    /// thunk that passes them on.
    fn resolve(&mut self, callee: u64, mut count: usize) -> u64 {
        if number_of(callee) != FN {
            let shown = self.value(callee, 0);
            return self.fail(format!("{shown} is no function: it cannot be called"));
        }
        let mut named = fields(callee);
        if let [function, outer @ ..] = named
            && function & 1 == 0
        {
            // What a closure has of its outer function comes first.
            self.args.copy_within(..count, outer.len());
            self.args[..outer.len()].copy_from_slice(outer);
            count += outer.len();
            named = fields(*function);
        }
        let numbers = self.args[..count].iter().map(|arg| number_of(*arg) as u64);
        let key = (named[0], numbers.collect::<Vec<u64>>());
        if !self.met.contains_key(&key) {
            let lisp = self.session.compiler();
            let (name, tys): (Arc<str>, Vec<Ty>) = {
                let known = lisp.objects.known();
                let tys = key.1.iter().map(|number| known.types[*number as usize].0);
                (
                    Arc::clone(&known.functions[(named[0] >> 1) as usize]),
                    tys.collect(),
                )
            };
            let target = self.session.on(OneShard).in_world(self.world);
            match target.compile(&name, &tys) {
                Ok(code) => drop(self.met.insert(key.clone(), code)),
                Err(error) => return self.fail(error),
            }
        }
        self.target = self.met[&key].linked().entry();
        match self.session.compiler().thunk(count) {
            Ok(thunk) => thunk as u64,
            Err(error) => self.fail(error),
        }
    }

    fn primitive(&mut self, number: usize, a: u64, b: u64) -> u64 {
        let name = PRIMITIVES[number].0;
        match name {
            "str" => {
                let shown = self.shown(a);
                return self.string(shown.into());
            }
            "print" => {
                let line = self.shown(a) + "\n";
                (self.print)(&line);
                return self.constant(&Constant::Nil);
            }
            "join" => return self.string([text(a), text(b)].concat().into()),
            _ => {}
        }
        let ints = number_of(a) == INT && number_of(b) == INT;
        let numbers = [a, b].map(|word| match number_of(word) {
            INT => Some(int(word) as f64),
            FLOAT => Some(f64::from_bits(fields(word)[0])),
            _ => None,
        });
        let (x, y) = match numbers {
            [Some(x), Some(y)] => (x, y),
            _ => {
                let both = number_of(a) == STR && number_of(b) == STR;
                let equal = a == b || both && text(a) == text(b);
                return self.constant(&Constant::Bool(equal));
            }
        };
        let (i, k) = match ints {
            true => (int(a), int(b)),
            false => (0, 0),
        };
        let result = match name {
            "<" if ints => return self.constant(&Constant::Bool(i < k)),
            "=" if ints => return self.constant(&Constant::Bool(i == k)),
            "<" => return self.constant(&Constant::Bool(x < y)),
            "=" => return self.constant(&Constant::Bool(x == y)),
            "div" | "rem" if k == 0 => return self.fail("division by zero"),
            "div" => Value::Int(i / k),
            "rem" => Value::Int(i % k),
            "/" => Value::Float(x / y),
            _ if ints => {
                let result = match name {
                    "+" => i.checked_add(k),
                    "-" => i.checked_sub(k),
                    _ => i.checked_mul(k),
                };
                match result.filter(|x| (-(1 << 62)..1 << 62).contains(x)) {
                    Some(x) => return word_of_int(x).cast_unsigned(),
                    None => return overflow(self),
                }
            }
            "+" => Value::Float(x + y),
            "-" => Value::Float(x - y),
            _ => Value::Float(x * y),
        };
        self.word(&result)
    }

    /// As `print` writes it.
    fn shown(&self, word: u64) -> String {
        match self.value(word, 0) {
            Value::Str(text) => text.to_string(),
            value => value.to_string(),
        }
    }

    fn host(&mut self, run: &Run, count: usize) -> u64 {
        let args = self.args[..count].iter().map(|word| self.value(*word, 0));
        let args: Vec<Value> = args.collect();
        match catch_unwind(AssertUnwindSafe(|| run(&args))) {
            Ok(Ok(value)) => self.word(&value),
            Ok(Err(why)) => self.fail(why),
            Err(_) => self.fail("a function of the host panicked"),
        }
    }
}

fn number_of(word: u64) -> usize {
    match word & 1 {
        1 => INT,
        // SAFETY: an even word is the address of an object.
        _ => unsafe { *(word as *const u32) as usize },
    }
}

/// The words after an object's first; those of a call live as long as its context.
fn fields<'a>(object: u64) -> &'a [u64] {
    let at = object as *const u64;
    // SAFETY: the first word says how many follow, and objects do not change.
    unsafe { std::slice::from_raw_parts(at.add(1), (*at >> 32) as usize) }
}

fn int(word: u64) -> i64 {
    word.cast_signed() >> 1
}

fn text<'a>(object: u64) -> &'a str {
    let words = fields(object);
    // SAFETY: the object of a string says where its text is.
    unsafe {
        let bytes = std::slice::from_raw_parts(words[0] as *const u8, words[1] as usize);
        std::str::from_utf8_unchecked(bytes)
    }
}

/// A function that generated code calls: by name, with its address.
pub struct Helper {
    pub(crate) name: &'static str,
    body: Body,
}

enum Body {
    Zero(extern "C" fn(&mut Context) -> u64),
    Two(extern "C" fn(&mut Context, u64, u64) -> u64),
    Three(extern "C" fn(&mut Context, u64, u64, u64) -> u64),
}

impl Helper {
    pub(crate) fn address(&self) -> *const u8 {
        match self.body {
            Body::Zero(f) => f as *const u8,
            Body::Two(f) => f as *const u8,
            Body::Three(f) => f as *const u8,
        }
    }
}

const fn helper(name: &'static str, body: Body) -> Helper {
    Helper { name, body }
}

/// All of them.
pub static HELPERS: [Helper; 6] = [
    helper("alloc", Body::Two(alloc)),
    helper("resolve", Body::Two(resolve)),
    helper("primitive", Body::Three(primitive)),
    helper("host", Body::Two(host)),
    helper("overflow", Body::Zero(overflow)),
    helper("stack_overflow", Body::Zero(stack_overflow)),
];

/// An object with so many words, for the code to fill.
extern "C" fn alloc(context: &mut Context, ty: u64, count: u64) -> u64 {
    // No object has more words than a method has parameters and one.
    let none = [0; 2 * MAX_PARAMS];
    context.alloc(ty as usize, &none[..count as usize])
}

extern "C" fn resolve(context: &mut Context, callee: u64, count: u64) -> u64 {
    context.resolve(callee, count as usize)
}

extern "C" fn primitive(context: &mut Context, number: u64, a: u64, b: u64) -> u64 {
    context.primitive(number as usize, a, b)
}

extern "C" fn host(context: &mut Context, function: u64, count: u64) -> u64 {
    // SAFETY: the code that is running holds the function whose address it gives.
    let run = unsafe { &*(function as *const Box<Run>) };
    context.host(&**run, count as usize)
}

extern "C" fn overflow(context: &mut Context) -> u64 {
    context.fail("integer overflow: a result is beyond 63 bits")
}

extern "C" fn stack_overflow(context: &mut Context) -> u64 {
    context.fail("calls nest too deeply: make the last call a tail call")
}
