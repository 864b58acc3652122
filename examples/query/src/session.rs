//! Definitions and queries over arrays.

use crate::compiler::{Kind, Queries, Source};
use crate::parse::{self, SyntaxError};
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use worldage::dispatch::{Sig, Symbol, Ty, Types};
use worldage::embed::native;
use worldage::engine::{
    CodeInstance, DemandError, Edit, EditError, Engine, Linked, Options, Resolved, ShardId, Stage,
    TableId,
};

/// Why a query or a definition was refused.
#[derive(Debug)]
pub enum QueryError {
    /// The text.
    Syntax(SyntaxError),
    /// A type that no column has, in a function's parameter.
    UnknownType(String),
    /// A column that the table lacks.
    NoColumn(String),
    /// A column that is neither Int64, Float64 nor Boolean.
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        ty: String,
    },
    /// Types that do not fit, or a function that is not there.
    Compile(DemandError),
    /// The definitions were refused.
    Edit(EditError),
    /// This machine is not one that code can be made for.
    Machine(String),
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryError::Syntax(error) => write!(f, "{error}"),
            QueryError::UnknownType(name) => {
                write!(f, "{name} is no type: Int64, Float64 and Bool are")
            }
            QueryError::NoColumn(name) => write!(f, "the table has no column {name}"),
            QueryError::ColumnType { column, ty } => {
                write!(
                    f,
                    "column {column} is {ty}: only Int64, Float64 and Boolean are read"
                )
            }
            QueryError::Compile(error) => write!(f, "{error}"),
            QueryError::Edit(error) => write!(f, "{error}"),
            QueryError::Machine(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for QueryError {}

/// Functions of users, and the queries that were compiled with them.
///
/// ```
/// use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// use std::sync::Arc;
/// use worldage_query::Session;
///
/// let prices: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 20.0, 300.0]));
/// let table = RecordBatch::try_from_iter([("price", prices)]).unwrap();
/// let session = Session::new().unwrap();
/// session.define(&["fn tax(x) = x * 0.5"]).unwrap();
/// let query = session.query("select price + tax(price) where price > 10").unwrap();
/// let result = query.run(&table).unwrap();
/// assert_eq!(result.as_ref(), &Float64Array::from(vec![30.0, 450.0]) as &dyn arrow_array::Array);
/// ```
pub struct Session {
    engine: Engine<Queries>,
    shard: ShardId,
    queries: AtomicU64,
}

impl Session {
    /// A session without functions.
    ///
    /// # Errors
    /// If code cannot be made for this machine.
    pub fn new() -> Result<Session, QueryError> {
        let settings = [("opt_level", "speed"), ("enable_verifier", "false")];
        let isa = native::host_isa(&settings, None)
            .map_err(|error| QueryError::Machine(error.to_string()))?;
        let types = Arc::new(Types::new());
        let queries = Queries::new(isa, &types);
        let engine = Engine::new(queries, types, Options::default(), Edit::new());
        let engine = engine.map_err(QueryError::Edit)?;
        let shard = engine.shard("host".to_string(), engine.view(&[]));
        Ok(Session {
            engine,
            shard,
            queries: AtomicU64::new(0),
        })
    }

    /// Defines functions, or replaces those with the same name and parameter types: one edit.
    ///
    /// # Errors
    /// If one of them is not the syntax; then nothing is defined.
    pub fn define(&self, functions: &[&str]) -> Result<(), QueryError> {
        let types = self.engine.types();
        let mut edit = Edit::new();
        for text in functions {
            let function = parse::function(text).map_err(QueryError::Syntax)?;
            let params = function.params.iter().map(|(_, ty)| match ty {
                None => Ok(Ty::ANY),
                Some(name) => Kind::ALL
                    .into_iter()
                    .find(|kind| kind.name() == name)
                    .map(|kind| self.engine.compiler().ty(kind))
                    .ok_or_else(|| QueryError::UnknownType(name.clone())),
            });
            let sig = Sig::closed(types, &params.collect::<Result<Vec<_>, _>>()?);
            let name = types.symbol(&function.name);
            edit.define(TableId::BASE, name, sig, Source::Function(function));
        }
        self.engine.commit(edit).map(drop).map_err(QueryError::Edit)
    }

    /// A query, not compiled yet: that waits for a table's types.
    ///
    /// # Errors
    /// If the text is not the syntax.
    pub fn query(&self, text: &str) -> Result<Query<'_>, QueryError> {
        let select = parse::select(text).map_err(QueryError::Syntax)?;
        let types = self.engine.types();
        // No function can be called like this.
        let number = 1 + self.queries.fetch_add(1, Ordering::Relaxed);
        let name = types.symbol(&format!("query {number}"));
        let columns = select.columns.clone();
        let used = |expr: &parse::Expr| {
            let mut used = vec![false; columns.len()];
            mark(expr, &mut used);
            used
        };
        let (of_value, of_filter) = (used(&select.value), select.filter.as_ref().map(used));
        let sig = Sig::closed(types, &vec![Ty::ANY; columns.len()]);
        let mut edit = Edit::new();
        edit.define(TableId::BASE, name, sig, Source::Select(select));
        self.engine.commit(edit).map_err(QueryError::Edit)?;
        Ok(Query {
            session: self,
            name,
            columns,
            of_value,
            of_filter,
        })
    }

    /// The stages that ran since this was last asked: `infer tax(Float64)`, sorted.
    pub fn take_stages(&self) -> Vec<(Stage, String)> {
        let events = self.engine.take_log().into_iter();
        let mut stages: Vec<_> = events
            .map(|event| (event.stage, self.engine.name(event.mi)))
            .collect();
        stages.sort();
        stages.dedup();
        stages
    }
}

/// Marks the parameters that an expression reads.
fn mark(expr: &parse::Expr, used: &mut [bool]) {
    use parse::Expr::{Binary, Bool, Call, Float, Int, Negate, Not, Param};
    match expr {
        Param(ix) => used[*ix] = true,
        Int(_) | Float(_) | Bool(_) => {}
        Not(inner) | Negate(inner) => mark(inner, used),
        Binary(_, left, right) => {
            mark(left, used);
            mark(right, used);
        }
        Call(_, args) => args.iter().for_each(|arg| mark(arg, used)),
    }
}

/// A filter and a projection.
pub struct Query<'a> {
    session: &'a Session,
    name: Symbol,
    columns: Vec<String>,
    of_value: Vec<bool>,
    of_filter: Option<Vec<bool>>,
}

/// A column as a kernel reads it.
struct Column {
    kind: Kind,
    start: *const u8,
    /// Keeps bytes that were made for this run.
    _bytes: Option<Vec<u8>>,
    nulls: Option<NullBuffer>,
}

impl Query<'_> {
    /// Runs the query on a table; compiled on the first run for these types of columns, and again
    /// when a function that it uses, however indirectly, was redefined.
    ///
    /// A value that is computed of a null is null; a row whose filter is null is not selected.
    ///
    /// # Errors
    /// If a column is missing or of a type that is not read, or if the query does not compile for
    /// these types.
    pub fn run(&self, table: &RecordBatch) -> Result<ArrayRef, QueryError> {
        let columns = self.columns.iter().map(|name| column(table, name));
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        let kinds: Vec<Kind> = columns.iter().map(|column| column.kind).collect();
        let (code, kind) = self.compile(&kinds)?;
        let rows = table.num_rows();
        Ok(match kind {
            Kind::Int => self.primitive::<Int64Type>(&code, &columns, rows),
            Kind::Float => self.primitive::<Float64Type>(&code, &columns, rows),
            Kind::Bool => {
                let (bytes, nulls) = self.values::<u8>(&code, &columns, rows);
                let bits = BooleanBuffer::collect_bool(bytes.len(), |ix| bytes[ix] != 0);
                Arc::new(BooleanArray::new(bits, nulls))
            }
        })
    }

    /// The code for columns of these kinds, and the kind of its values.
    fn compile(&self, kinds: &[Kind]) -> Result<(Arc<CodeInstance<Queries>>, Kind), QueryError> {
        let engine = &self.session.engine;
        let args: Vec<Ty> = kinds
            .iter()
            .map(|kind| engine.compiler().ty(*kind))
            .collect();
        let args = engine.types().tuple(&args);
        let view = engine.view_of(self.session.shard);
        let found = engine.lookup(self.name, args, view, engine.world());
        let Resolved::Method(mi) = found else {
            unreachable!("a query takes every type: {found:?}");
        };
        let front = engine.front(mi, self.session.shard);
        let code = match front.get() {
            Some(code) => code,
            None => {
                let code = engine.demand(mi, self.session.shard, None);
                code.map_err(QueryError::Compile)?
            }
        };
        let kind = code.code().returns;
        Ok((code, kind))
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        code: &CodeInstance<Queries>,
        columns: &[Column],
        rows: usize,
    ) -> ArrayRef {
        let (values, nulls) = self.values::<T::Native>(code, columns, rows);
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
    }

    /// The values of the selected rows, and which of them are null.
    fn values<V: Copy>(
        &self,
        code: &CodeInstance<Queries>,
        columns: &[Column],
        rows: usize,
    ) -> (Vec<V>, Option<NullBuffer>) {
        let starts: Vec<*const u8> = columns.iter().map(|column| column.start).collect();
        let mut values: Vec<V> = Vec::with_capacity(rows);
        let nulls = nulls_of(columns, &self.of_value);
        let mut run = |from: usize, to: usize| {
            let out = values.spare_capacity_mut().as_mut_ptr();
            #[expect(unsafe_code, reason = "generated code is called")]
            // SAFETY: the kernel was generated for columns of these types and values of type V;
            // it reads rows below `rows` and writes at most `to - from` values, for which there
            // is room: no row is run twice.
            unsafe {
                let kernel: extern "C" fn(*const *const u8, *mut V, usize, usize) -> usize =
                    std::mem::transmute(code.linked().entry());
                let count = kernel(starts.as_ptr(), out.cast(), from, to);
                values.set_len(values.len() + count);
                count
            }
        };
        let Some(of_filter) = &self.of_filter else {
            run(0, rows);
            return (values, nulls);
        };
        // Only rows whose filter is not null are looked at.
        let known = nulls_of(columns, of_filter);
        let ranges: Vec<(usize, usize)> = match &known {
            None => vec![(0, rows)],
            Some(known) => known.valid_slices().collect(),
        };
        let Some(nulls) = nulls else {
            for (from, to) in ranges {
                run(from, to);
            }
            return (values, None);
        };
        let mut valid: Vec<bool> = Vec::with_capacity(rows);
        for (from, to) in ranges {
            let mut start = from;
            while start < to {
                let is_valid = nulls.is_valid(start);
                let end = (start..to)
                    .find(|row| nulls.is_valid(*row) != is_valid)
                    .unwrap_or(to);
                let count = run(start, end);
                valid.extend(std::iter::repeat_n(is_valid, count));
                start = end;
            }
        }
        (values, Some(NullBuffer::from(valid)))
    }
}

/// The rows where one of the used columns is null.
fn nulls_of(columns: &[Column], used: &[bool]) -> Option<NullBuffer> {
    let used = columns.iter().zip(used).filter(|(_, used)| **used);
    used.fold(None, |nulls, (column, _)| {
        NullBuffer::union(nulls.as_ref(), column.nulls.as_ref())
    })
}

fn column(table: &RecordBatch, name: &str) -> Result<Column, QueryError> {
    let array = table.column_by_name(name);
    let array = array.ok_or_else(|| QueryError::NoColumn(name.to_string()))?;
    let any = array.as_any();
    let nulls = array.nulls().cloned();
    let plain = |kind, start| Column {
        kind,
        start,
        _bytes: None,
        nulls: nulls.clone(),
    };
    if let Some(array) = any.downcast_ref::<PrimitiveArray<Int64Type>>() {
        return Ok(plain(Kind::Int, array.values().as_ptr().cast()));
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<Float64Type>>() {
        return Ok(plain(Kind::Float, array.values().as_ptr().cast()));
    }
    if let Some(array) = any.downcast_ref::<BooleanArray>() {
        // Kernels read a byte per row, arrays hold a bit.
        let bytes: Vec<u8> = array.values().iter().map(u8::from).collect();
        return Ok(Column {
            start: bytes.as_ptr(),
            _bytes: Some(bytes),
            ..plain(Kind::Bool, std::ptr::null())
        });
    }
    Err(QueryError::ColumnType {
        column: name.to_string(),
        ty: array.data_type().to_string(),
    })
}
