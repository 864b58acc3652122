//! What to do about an error: names that were meant, and advice where nothing better is known.

use super::Code;

/// The name most like one that is not known, if any is close.
///
/// ```
/// use worldage_wir::diag::nearest;
/// assert_eq!(nearest("lenght", ["length", "print"].into_iter()), Some("length"));
/// assert_eq!(nearest("x", ["y"].into_iter()), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = 2.min(name.len() / 3);
    // A name that is much longer or shorter is not like it, however many there are.
    let near = known.filter(|known| known.len().abs_diff(name.len()) <= 8);
    let close = near.map(|known| (distance(name, known), known));
    close
        .filter(|(distance, _)| (1..=most).contains(distance))
        .min()
        .map(|(_, known)| known)
}

/// The number of letters to change, add, remove or swap with the next (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let change = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

impl Code {
    /// What to do about errors of this kind, where nothing more is known.
    pub fn advice(self) -> &'static str {
        match self {
            Code::Syntax => "the forms of the language are in ir/language.md",
            Code::InvalidUtf8 => "save the file as UTF-8",
            Code::UnknownName => "introduce a variable with `var`, or define the function",
            Code::UnknownType => "define it with `struct` or `abstract type`",
            Code::NoMatchingMethod => "define a method for these types, or convert the arguments",
            Code::AmbiguousCall => "define a method that is more specific than the candidates",
            Code::NoSuchMethod => "name the signature exactly as it was defined",
            Code::DuplicateDefinition => "remove one of them, or give it another name",
            Code::MissingField => "use one of its fields, or add this one to the struct",
            Code::TypeMismatch => "convert the value, or test its type with `isa`",
            Code::IndexOutOfBounds => "indices begin at 0 and end before `length`",
            Code::UndefinedElement => "write every element before it is read",
            Code::DivisionError => "test the divisor first, or divide as floats with `/`",
            Code::ConversionError => "test the range first, or convert to a wider type",
            Code::InvalidArgument => "pass a value of the function's domain",
            Code::StackOverflow => "check that the recursion ends",
            Code::OutOfMemory => "make smaller arrays, or keep fewer of them",
            Code::TypeLimit => "end the recursion before its types grow without end",
            Code::WorldExpired => "hold a world as long as it is called",
            Code::HostError => "look at the function that the host gave, or at its arguments",
            Code::UnsupportedOnTarget => "choose another target",
            Code::NotCached => "run once without --strict to fill the store",
            Code::BuildError => "correct the text, or choose another device",
        }
    }
}
