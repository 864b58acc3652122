//! Shows redefinition, dispatch and early cutoff: what is printed is what ran.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

use worldage::embed::{Error, Session, Ty};
use worldage_calc::{Calc, define, value};

fn main() -> Result<(), Error> {
    let session = Session::new(Calc);
    let shape = session.abstract_type("Shape", Ty::ANY)?;
    session.concrete_type("Circle", shape)?;
    session.concrete_type("Square", shape)?;
    let edits = [
        "side(Shape) = 4
         area(Square) = side(Square) * side(Square)
         area(Circle) = 3 * side(Circle) * side(Circle)
         total() = area(Circle) + area(Square)",
        "side(Circle) = 2",
        "area(Square) = 8 + 8",
    ];
    for edit in edits {
        println!("{edit}");
        define(&session, edit)?;
        println!("total() = {}", value(&session, "total()")?);
        print!("{}", session.take_stages());
    }
    Ok(())
}
