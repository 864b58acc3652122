//! What can be wrong with a type: errors of the program that is described, as values.

/// Why a type, a declaration or a signature cannot be built. All of these are deterministic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The parent is nothing that a type can be declared under.
    #[error(
        "`{name}` cannot stand under `{parent}`: a supertype is a declared abstract type or Any"
    )]
    UnknownParent {
        /// The declared name.
        name: String,
        /// The parent as printed.
        parent: String,
    },
    /// The parent is reached from itself. Front ends that declare in any order report it; here a
    /// parent exists before its children.
    #[error("`{name}` is its own supertype: break the cycle")]
    ParentCycle {
        /// The declared name.
        name: String,
    },
    /// The parent is a concrete type.
    #[error("`{name}` cannot stand under the concrete type `{parent}`: make `{parent}` abstract")]
    ParentConcrete {
        /// The declared name.
        name: String,
        /// The parent as printed.
        parent: String,
    },
    /// The number of type arguments is wrong.
    #[error("`{name}` takes {expected} type arguments, {given} were given")]
    WrongArity {
        /// The declared name.
        name: String,
        /// How many parameters the declaration has.
        expected: usize,
        /// How many arguments were given.
        given: usize,
    },
    /// A type argument lies outside the bound of its parameter.
    #[error(
        "`{arg}` is not a valid argument for `{param}` of `{name}`: it must be a subtype of `{upper}`"
    )]
    OutOfBounds {
        /// The declared name.
        name: String,
        /// The parameter.
        param: String,
        /// Its bound as printed.
        upper: String,
        /// The argument as printed.
        arg: String,
    },
    /// The type nests too deep.
    #[error("the type nests {depth} deep, the limit is {limit}: name a part of it as a struct")]
    TooDeep {
        /// The depth that was asked for.
        depth: usize,
        /// The greatest depth.
        limit: usize,
    },
    /// The type has too many parts.
    #[error("the type has {size} parts, the limit is {limit}: name a part of it as a struct")]
    TooLarge {
        /// The number of parts that was asked for.
        size: usize,
        /// The greatest number.
        limit: usize,
    },
    /// A variable is mentioned that is not in scope.
    #[error("type variable number {index} is not in scope: {known} are declared before this place")]
    UnboundVariable {
        /// The index mentioned.
        index: u32,
        /// How many are in scope.
        known: usize,
    },
    /// A parameter has the empty type, so that the method could never be called.
    #[error("parameter {position} has the empty type: the method could never be called")]
    Uninhabited {
        /// The position, from 1.
        position: usize,
    },
    /// A constant stands where a type is needed.
    #[error("`{given}` is not a type")]
    NotAType {
        /// What was given, as printed.
        given: String,
    },
}
