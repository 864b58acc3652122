//! Forms to definitions: names become places, and functions in functions become methods of
//! their own, whose first parameters are what they use of the outer one.

use crate::read::{Error, Form, FormKind};
use std::sync::Arc;

/// A method's parameters: their types by name (`Any` where nothing stands) and places.
pub type Params = Vec<(Arc<str>, usize)>;

/// A method as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its function.
    pub name: Arc<str>,
    /// Its parameters.
    pub params: Params,
    /// How many places its variables take.
    pub places: usize,
    /// What it gives.
    pub body: Expr,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// A number of 63 bits.
    Int(i64),
    /// The bits of a float.
    Float(u64),
    /// A string.
    Str(Arc<str>),
    /// A variable.
    Local(usize),
    /// `'f`
    Function(Arc<str>),
    /// `(if a b c)`
    If(Box<[Expr; 3]>),
    /// A variable, its value, and where it is visible.
    Let(usize, Box<[Expr; 2]>),
    /// One after the other; the last one's value.
    Do(Vec<Expr>),
    /// A call by name.
    Call(Arc<str>, Vec<Expr>),
    /// A call of a value.
    Apply(Box<Expr>, Vec<Expr>),
    /// A function with its outer variables.
    Closure(Arc<str>, Vec<Expr>),
}

/// What a form at the top of a program says.
pub enum Top {
    /// `(abstract A)`, `(abstract (A B))`: name and parent.
    Abstract(Arc<str>, Arc<str>),
    /// `(type (P A) x y)`: name, parent, fields.
    Type(Arc<str>, Arc<str>, Vec<Arc<str>>),
    /// `(define (f x) …)`, `(define x …)`: the method, and those of functions in it.
    Define(Vec<Method>),
    /// `(delete f A B)`
    Delete(Arc<str>, Vec<Arc<str>>),
    /// An expression: a method without parameters, to be called.
    Expr(Vec<Method>),
}

/// The most parameters of a function, outer variables included.
pub const MAX_PARAMS: usize = 16;

/// The name of the method that an expression at the top becomes.
pub const IT: &str = "it";

/// What a form says.
///
/// # Errors
/// It is none of the forms of the language.
pub fn parse(form: &Form) -> Result<Top, Error> {
    let FormKind::List(list) = &form.kind else {
        return expression(form);
    };
    let (head, rest) = match list.split_first() {
        Some((head, rest)) => (name_of(head).map_or("", |name| name), rest),
        None => ("", &[][..]),
    };
    match (head, rest) {
        ("abstract", [head]) => {
            let (name, parent) = type_head(head)?;
            Ok(Top::Abstract(name, parent))
        }
        ("type", [head, fields @ ..]) => {
            let (name, parent) = type_head(head)?;
            let fields = fields.iter().map(expect_name).collect::<Result<_, _>>()?;
            Ok(Top::Type(name, parent, fields))
        }
        ("delete", [function, types @ ..]) => {
            let types = types.iter().map(expect_name).collect::<Result<_, _>>()?;
            Ok(Top::Delete(expect_name(function)?, types))
        }
        ("define", [head, body @ ..]) if !body.is_empty() => {
            let (name, params) = match &head.kind {
                FormKind::List(list) if !list.is_empty() => (expect_name(&list[0])?, &list[1..]),
                _ => (expect_name(head)?, &[][..]),
            };
            Ok(Top::Define(methods(name, params, body)?))
        }
        ("abstract" | "type" | "delete" | "define", _) => {
            let why = format!("this is no form of `{head}`: something is missing");
            Err(Error::at(form.line, why))
        }
        _ => expression(form),
    }
}

fn expression(form: &Form) -> Result<Top, Error> {
    Ok(Top::Expr(methods(
        IT.into(),
        &[],
        std::slice::from_ref(form),
    )?))
}

fn name_of(form: &Form) -> Option<&Arc<str>> {
    match &form.kind {
        FormKind::Name(name) => Some(name),
        _ => None,
    }
}

fn expect_name(form: &Form) -> Result<Arc<str>, Error> {
    let name = name_of(form).cloned();
    name.ok_or_else(|| Error::at(form.line, "a name must stand here"))
}

fn type_head(form: &Form) -> Result<(Arc<str>, Arc<str>), Error> {
    match &form.kind {
        FormKind::List(pair) if pair.len() == 2 => {
            Ok((expect_name(&pair[0])?, expect_name(&pair[1])?))
        }
        _ => Ok((expect_name(form)?, "Any".into())),
    }
}

/// A method, and those of the functions in it.
fn methods(name: Arc<str>, params: &[Form], body: &[Form]) -> Result<Vec<Method>, Error> {
    let types = params.iter().map(|param| Ok(param_of(param)?.1));
    let types: Vec<Arc<str>> = types.collect::<Result<_, Error>>()?;
    let mut scope = Scope {
        prefix: format!("{name}({})", types.join(", ")),
        count: 1,
        inner: Vec::new(),
        functions: Vec::new(),
    };
    let (method, _) = scope.function(name, params, body)?;
    check_params(&method, &body[0])?;
    scope.inner.push(method);
    Ok(scope.inner)
}

/// `x` or `(x Int)`
fn param_of(form: &Form) -> Result<(Arc<str>, Arc<str>), Error> {
    type_head(form)
}

/// A function that is being read.
#[derive(Default)]
struct Function {
    /// Visible variables, the newest last.
    visible: Vec<(Arc<str>, usize)>,
    places: usize,
    /// Outer variables: the expression for each in the function around, and its place here.
    captured: Vec<(Expr, usize)>,
}

struct Scope {
    /// What the names of inner functions begin with.
    prefix: String,
    /// The number of the next one.
    count: usize,
    inner: Vec<Method>,
    functions: Vec<Function>,
}

impl Scope {
    /// A method, and what it captures: expressions of the function around.
    fn function(
        &mut self,
        name: Arc<str>,
        params: &[Form],
        body: &[Form],
    ) -> Result<(Method, Vec<Expr>), Error> {
        self.functions.push(Function::default());
        let mut own = Params::new();
        for param in params {
            let (name, ty) = param_of(param)?;
            own.push((ty, self.introduce(name)));
        }
        let body = self.body(body)?;
        let function = self.functions.pop().unwrap_or_default();
        let (captures, places): (Vec<Expr>, Vec<usize>) = function.captured.into_iter().unzip();
        let captured = places.into_iter().map(|place| ("Any".into(), place));
        let method = Method {
            name,
            params: captured.chain(own).collect(),
            places: function.places,
            body,
        };
        Ok((method, captures))
    }

    fn current(&mut self) -> &mut Function {
        self.functions.last_mut().expect("a function is being read")
    }

    fn introduce(&mut self, name: Arc<str>) -> usize {
        let function = self.current();
        function.places += 1;
        function.visible.push((name, function.places - 1));
        function.places - 1
    }

    /// The place of a variable in the `depth`-th function; what is visible further out is
    /// captured on the way.
    fn variable(&mut self, name: &str, depth: usize) -> Option<usize> {
        let function = &self.functions[depth];
        let mut visible = function.visible.iter().rev();
        if let Some((_, place)) = visible.find(|(known, _)| **known == *name) {
            return Some(*place);
        }
        let outer = self.variable(name, depth.checked_sub(1)?)?;
        let function = &mut self.functions[depth];
        let place = function.places;
        function.places += 1;
        function.captured.push((Expr::Local(outer), place));
        // Visible from the outset: parameters and inner variables of the same name hide it.
        function.visible.insert(0, (name.into(), place));
        Some(place)
    }

    fn body(&mut self, forms: &[Form]) -> Result<Expr, Error> {
        Ok(match forms {
            [] => Expr::Nil,
            [form] => self.expr(form)?,
            forms => Expr::Do(self.all(forms)?),
        })
    }

    fn all(&mut self, forms: &[Form]) -> Result<Vec<Expr>, Error> {
        forms.iter().map(|form| self.expr(form)).collect()
    }

    fn expr(&mut self, form: &Form) -> Result<Expr, Error> {
        Ok(match &form.kind {
            FormKind::Int(int) if int.unsigned_abs() < 1 << 62 => Expr::Int(*int),
            FormKind::Int(int) => {
                return Err(Error::at(form.line, format!("{int} is beyond 63 bits")));
            }
            FormKind::Float(float) => Expr::Float(float.to_bits()),
            FormKind::Str(text) => Expr::Str(Arc::clone(text)),
            FormKind::Name(name) => match &**name {
                "nil" => Expr::Nil,
                "true" => Expr::Bool(true),
                "false" => Expr::Bool(false),
                _ => match self.variable(name, self.functions.len() - 1) {
                    Some(place) => Expr::Local(place),
                    None => Expr::Call(Arc::clone(name), Vec::new()),
                },
            },
            FormKind::List(list) => match list.split_first() {
                Some((head, rest)) => self.list(form, head, rest)?,
                None => return Err(Error::at(form.line, "`()` calls nothing: write `nil`")),
            },
        })
    }

    fn list(&mut self, form: &Form, head: &Form, rest: &[Form]) -> Result<Expr, Error> {
        let Some(name) = name_of(head) else {
            return Ok(Expr::Apply(
                Box::new(self.expr(head)?),
                self.arguments(form, rest)?,
            ));
        };
        Ok(match (&**name, rest) {
            ("quote", [function]) => Expr::Function(expect_name(function)?),
            ("if", [condition, then, or @ ..]) if or.len() < 2 => {
                let condition = self.expr(condition)?;
                let (then, or) = (self.expr(then)?, self.body(or)?);
                Expr::If(Box::new([condition, then, or]))
            }
            ("do", forms) => self.body(forms)?,
            ("let", [variables, body @ ..]) => {
                let FormKind::List(variables) = &variables.kind else {
                    return Err(Error::at(
                        form.line,
                        "`let` is written `(let ((x 1) (y 2)) …)`",
                    ));
                };
                let expr = self.bind(variables, body)?;
                // What was captured meanwhile stands in front.
                let function = self.current();
                function
                    .visible
                    .truncate(function.visible.len() - variables.len());
                expr
            }
            ("fn", [params, body @ ..]) => {
                let FormKind::List(params) = &params.kind else {
                    return Err(Error::at(form.line, "`fn` is written `(fn (x y) …)`"));
                };
                let name: Arc<str> = format!("{}/{}", self.prefix, self.count).into();
                self.count += 1;
                let (method, captures) = self.function(Arc::clone(&name), params, body)?;
                check_params(&method, form)?;
                self.inner.push(method);
                Expr::Closure(name, captures)
            }
            ("quote" | "if" | "let" | "fn" | "define" | "type" | "abstract" | "delete", _) => {
                let why = format!("this is no form of `{name}`, or it stands where none can");
                return Err(Error::at(form.line, why));
            }
            _ => {
                let args = self.arguments(form, rest)?;
                match self.variable(name, self.functions.len() - 1) {
                    Some(place) => Expr::Apply(Box::new(Expr::Local(place)), args),
                    None => Expr::Call(Arc::clone(name), args),
                }
            }
        })
    }

    fn arguments(&mut self, form: &Form, rest: &[Form]) -> Result<Vec<Expr>, Error> {
        if rest.len() > MAX_PARAMS {
            let why = format!("a call has at most {MAX_PARAMS} arguments");
            return Err(Error::at(form.line, why));
        }
        self.all(rest)
    }

    fn bind(&mut self, variables: &[Form], body: &[Form]) -> Result<Expr, Error> {
        let Some((first, rest)) = variables.split_first() else {
            return self.body(body);
        };
        let (name, value) = match &first.kind {
            FormKind::List(pair) if pair.len() == 2 => (expect_name(&pair[0])?, &pair[1]),
            _ => return Err(Error::at(first.line, "a variable is written `(x 1)`")),
        };
        let value = self.expr(value)?;
        let place = self.introduce(name);
        Ok(Expr::Let(place, Box::new([value, self.bind(rest, body)?])))
    }
}

fn check_params(method: &Method, form: &Form) -> Result<(), Error> {
    if method.params.len() <= MAX_PARAMS {
        return Ok(());
    }
    let why = format!("more than {MAX_PARAMS} parameters and outer variables: pass a record");
    Err(Error::at(form.line, why))
}
