//! Tests of types, signatures and lookup, through the public interface. Cases are written as text.

mod ambiguity;
mod calls;
mod find_all;
mod fixture;
mod limits;
mod lookup;
mod methods;
mod oracle;
mod properties;
mod signatures;
mod specificity;
mod types;
