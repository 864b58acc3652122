//! A small world of declarations, and a reader of types and signatures written as text.

use std::collections::HashMap;

use worldage_dispatch::*;

/// The declarations that the cases use. `Any*`, `Number*` ... are concrete types that nothing mentions:
/// the generic points of the abstract types.
const DECLARATIONS: &str = "
    abstract Number
    abstract Integer <: Number
    concrete Int64 <: Integer
    concrete Int32 <: Integer
    concrete Float64 <: Number
    concrete String
    concrete Nothing
    abstract AbstractArray{T}
    concrete Array{T} <: AbstractArray{T}
    concrete Pair{A, B}
    concrete Box{T <: Number} <: AbstractArray{Array{T}}
    concrete Any*
    concrete Number* <: Number
    concrete Integer* <: Integer
    concrete AbstractArray*{T} <: AbstractArray{T}
";

/// Types and the names of their declarations.
pub(crate) struct Fixture {
    pub(crate) types: Types,
    decls: HashMap<String, DeclId>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let mut fixture = Fixture {
            types: Types::new(),
            decls: HashMap::new(),
        };
        for line in DECLARATIONS
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let (kind, rest) = line.split_once(' ').unwrap();
            fixture.declare(kind == "abstract", rest).unwrap();
        }
        fixture
    }

    pub(crate) fn declare(&mut self, is_abstract: bool, text: &str) -> Result<DeclId, TypeError> {
        let plain = text.find(" <:").unwrap_or(text.len());
        let head_end = match text.find('{') {
            Some(open) if open < plain => text.find('}').map_or(text.len(), |close| close + 1),
            _ => plain,
        };
        let (head, parent) = text.split_at(head_end);
        let (name, params) = match head.split_once('{') {
            Some((name, params)) => (name, params.trim_end_matches('}')),
            None => (head, ""),
        };
        let mut vars = Vec::new();
        for param in params
            .split(',')
            .map(str::trim)
            .filter(|param| !param.is_empty())
        {
            vars.push(self.variable(param, &vars));
        }
        let parent = parent.trim_start_matches(" <:").trim();
        let parent = if parent.is_empty() {
            Ty::ANY
        } else {
            self.ty_in(parent, &vars)
        };
        let id = self.types.declare(Decl {
            name: self.types.symbol(name),
            kind: if is_abstract {
                DeclKind::Abstract
            } else {
                DeclKind::Concrete
            },
            params: vars
                .iter()
                .map(|var| ParamDecl {
                    name: var.name,
                    upper: var.upper,
                })
                .collect(),
            parent,
        })?;
        self.decls.insert(name.to_owned(), id);
        Ok(id)
    }

    /// A closed type.
    pub(crate) fn ty(&self, text: &str) -> Ty {
        self.ty_in(text, &[])
    }

    /// The tuple type of a call, `Int64, Union{A, B}`.
    pub(crate) fn args(&self, text: &str) -> Ty {
        self.ty(&format!("Tuple{{{text}}}"))
    }

    /// A signature, `T, Array{T} where T <: Number`.
    pub(crate) fn sig(&self, text: &str) -> Sig {
        let (params, vars_text) = text.split_once(" where ").unwrap_or((text, ""));
        let mut vars = Vec::new();
        for var in vars_text
            .split(',')
            .map(str::trim)
            .filter(|var| !var.is_empty())
        {
            vars.push(self.variable(var, &vars));
        }
        let whole = self.ty_in(&format!("Tuple{{{params}}}"), &vars);
        let TyKind::Tuple { elems, tail } = self.types.kind(whole) else {
            panic!("`{text}` has no parameters")
        };
        Sig::new(&self.types, elems, *tail, vars).unwrap()
    }

    pub(crate) fn show(&self, ty: Ty) -> String {
        self.types.display(ty).to_string()
    }

    fn variable(&self, text: &str, earlier: &[TypeVar]) -> TypeVar {
        let (name, upper) = text.split_once("<:").unwrap_or((text, "Any"));
        TypeVar {
            name: self.types.symbol(name.trim()),
            upper: self.ty_in(upper.trim(), earlier),
        }
    }

    fn ty_in(&self, text: &str, vars: &[TypeVar]) -> Ty {
        let mut reader = Reader {
            fixture: self,
            text,
            vars,
        };
        let ty = match reader.arg() {
            Item::Arg(Arg::Ty(ty)) => ty,
            _ => panic!("`{text}` is no type"),
        };
        assert_eq!(reader.text.trim(), "", "all of `{text}` is read");
        ty
    }
}

enum Item {
    Arg(Arg),
    Tail(Ty),
}

struct Reader<'a> {
    fixture: &'a Fixture,
    text: &'a str,
    vars: &'a [TypeVar],
}

impl Reader<'_> {
    fn word(&mut self) -> &str {
        self.text = self.text.trim_start();
        let end = self.text.find(['{', '}', ',']).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word.trim()
    }

    fn eat(&mut self, mark: char) -> bool {
        self.text = self.text.trim_start();
        let rest = self.text.strip_prefix(mark);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn list(&mut self) -> (Vec<Arg>, Option<Ty>) {
        let (mut args, mut tail) = (Vec::new(), None);
        while !self.eat('}') {
            match self.arg() {
                Item::Arg(arg) => args.push(arg),
                Item::Tail(ty) => tail = Some(ty),
            }
            self.eat(',');
        }
        (args, tail)
    }

    fn arg(&mut self) -> Item {
        let types = &self.fixture.types;
        let name = self.word().to_owned();
        let (args, tail) = if self.eat('{') {
            self.list()
        } else {
            (Vec::new(), None)
        };
        let tys = || -> Vec<Ty> {
            let ty = |arg: &Arg| match arg {
                Arg::Ty(ty) => *ty,
                _ => panic!("a constant in `{name}`"),
            };
            args.iter().map(ty).collect()
        };
        if let Some(ix) = self
            .vars
            .iter()
            .position(|var| types.symbol_str(var.name) == name)
        {
            return Item::Arg(Arg::Ty(types.var(ix as u32)));
        }
        if let Ok(number) = name.parse() {
            return Item::Arg(Arg::Int(number));
        }
        Item::Arg(match name.as_str() {
            "Any" => Arg::Ty(Ty::ANY),
            "Union" => Arg::Ty(types.union(&tys())),
            "Tuple" => Arg::Ty(types.tuple_with_tail(&tys(), tail)),
            "Vararg" => return Item::Tail(tys()[0]),
            _ => match name.strip_prefix(':') {
                Some(symbol) => Arg::Symbol(types.symbol(symbol)),
                None => {
                    let decl = self
                        .fixture
                        .decls
                        .get(&name)
                        .unwrap_or_else(|| panic!("`{name}` is not declared"));
                    Arg::Ty(types.nominal(*decl, &args).unwrap())
                }
            },
        })
    }
}

/// A function whose methods are numbered in the order of definition, each with its own world from 1.
pub(crate) fn define(fixture: &Fixture, sigs: &[&str]) -> Methods {
    let mut methods = Methods::new();
    for (ix, sig) in (0..).zip(sigs) {
        methods.insert(
            &fixture.types,
            fixture.sig(sig),
            MethodId(ix),
            World(u64::from(ix) + 1),
        );
    }
    methods
}

/// The newest world.
pub(crate) const NOW: World = World(1_000_000);
