//! The positions in what a driver's compiler says.

/// One message of a build log that has a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The file, by its name in [`super::Sources`].
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub col: usize,
    /// Whether it is an error; otherwise a warning.
    pub is_error: bool,
    /// What it says.
    pub text: String,
}

/// The messages of a log in the forms that compilers write which come from Clang:
/// `file:line:column: error: text`, and PoCL's `error: file:line:column: text`.
///
/// ```
/// use worldage_opencl::foreign::messages;
/// let of = |log| messages(log).into_iter().map(|m| (m.file, m.line, m.col, m.text)).collect();
/// let found: Vec<_> = of("1 error\nblur.cl:4:12: error: no `x`\nerror: plane.h:7:3: no `y`\n");
/// let expected = [("blur.cl", 4, 12, "no `x`"), ("plane.h", 7, 3, "no `y`")];
/// assert_eq!(found, expected.map(|(f, l, c, t)| (f.to_string(), l, c, t.to_string())));
/// ```
#[must_use]
pub fn messages(log: &str) -> Vec<Message> {
    log.lines().filter_map(message).collect()
}

const MARKS: [(bool, &str); 3] = [
    (true, "error: "),
    (true, "fatal error: "),
    (false, "warning: "),
];

fn message(line: &str) -> Option<Message> {
    let line = line.trim();
    let (is_error, place, text) = MARKS.into_iter().find_map(|(is_error, mark)| {
        if let Some(rest) = line.strip_prefix(mark) {
            let (place, text) = rest.split_once(": ")?;
            return Some((is_error, place, text));
        }
        let (place, text) = line.split_once(&format!(": {mark}"))?;
        Some((is_error, place, text))
    })?;
    let mut parts = place.rsplitn(3, ':');
    let col: usize = parts.next()?.parse().ok()?;
    let line: usize = parts.next()?.parse().ok()?;
    // Both are counted from 1.
    if line == 0 || col == 0 {
        return None;
    }
    Some(Message {
        file: parts.next()?.to_string(),
        line,
        col,
        is_error,
        text: text.trim().to_string(),
    })
}
