//! What a fingerprint was made from: named parts in order, printable line by line.
//!
//! The bytes of a key are explicit: for every part `u8` kind, `u8` length of the name, the name,
//! `u32` length of the value, the value; numbers are little-endian. The digest is BLAKE3 over
//! these bytes, so equal keys are equal part by part, and a part can never run into the next.

use crate::fingerprint::Fingerprint;
use std::fmt;

/// A readable key under construction, or read back.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Key {
    bytes: Vec<u8>,
}

/// The value of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(u64),
    /// The digest of something too long to be part of a key.
    Digest(Fingerprint),
    /// Other bytes.
    Bytes(&'a [u8]),
}

/// One part: its name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is, e.g. `shard`.
    pub name: &'a str,
    /// The value.
    pub value: Value<'a>,
}

/// Bytes that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the bytes of a key")]
pub struct NotAKey;

const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const DIGEST: u8 = 3;
const BYTES: u8 = 4;

impl Key {
    /// Without parts.
    #[must_use]
    pub fn new() -> Key {
        Key::default()
    }

    /// Checks the bytes of a key that was stored.
    ///
    /// # Errors
    /// When they are not what [`Key::bytes`] gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Key, NotAKey> {
        let mut rest = bytes;
        while !rest.is_empty() {
            (_, rest) = split(rest)?;
        }
        Ok(Key {
            bytes: bytes.to_vec(),
        })
    }

    /// Adds a part of text.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Key {
        self.part(TEXT, name, value.as_bytes())
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Key {
        self.part(NUMBER, name, &value.to_le_bytes())
    }

    /// Adds a digest.
    pub fn digest(&mut self, name: &str, value: Fingerprint) -> &mut Key {
        self.part(DIGEST, name, value.as_bytes())
    }

    /// Adds bytes.
    pub fn blob(&mut self, name: &str, value: &[u8]) -> &mut Key {
        self.part(BYTES, name, value)
    }

    fn part(&mut self, kind: u8, name: &str, value: &[u8]) -> &mut Key {
        // A longer name or value would be cut; both are ours and short. A value is hashed instead.
        let name_len = u8::try_from(name.len()).expect("names of key parts are short");
        let len = u32::try_from(value.len()).expect("values of key parts are below 4 GiB");
        self.bytes.extend_from_slice(&[kind, name_len]);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    /// The bytes that are hashed and stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest: the name of what is made from these parts.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.bytes)
    }

    /// The parts in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (part, after) = split(rest).ok()?;
            rest = after;
            Some(part)
        })
    }

    /// What differs from another key, line by line: `-` stands only in `self`, `+` only in
    /// `other`. Empty if they are equal.
    #[must_use]
    pub fn diff(&self, other: &Key) -> String {
        let lines = |key: &Key| -> Vec<String> { key.parts().map(|p| p.to_string()).collect() };
        let (ours, theirs) = (lines(self), lines(other));
        let mut out = String::new();
        let mut from = 0;
        for line in &ours {
            // Parts keep their order, so a line that both have ends the difference before it.
            match theirs[from..].iter().position(|other| other == line) {
                Some(skipped) => {
                    for other in &theirs[from..from + skipped] {
                        out += &format!("+ {other}\n");
                    }
                    from += skipped + 1;
                }
                None => out += &format!("- {line}\n"),
            }
        }
        for other in &theirs[from..] {
            out += &format!("+ {other}\n");
        }
        out
    }

    /// The first part that `self` has and `other` lacks or has otherwise, for "why did this
    /// miss?": the part of `self`, and the part of `other` at the same place if its name is the
    /// same.
    #[must_use]
    pub fn first_difference<'a>(&'a self, other: &'a Key) -> Option<(Part<'a>, Option<Part<'a>>)> {
        let mut theirs = other.parts();
        for ours in self.parts() {
            let other = theirs.next();
            if other != Some(ours) {
                return Some((ours, other.filter(|other| other.name == ours.name)));
            }
        }
        None
    }
}

fn split(bytes: &[u8]) -> Result<(Part<'_>, &[u8]), NotAKey> {
    let (&[kind, name_len], rest) = bytes.split_first_chunk().ok_or(NotAKey)?;
    let (name, rest) = rest.split_at_checked(name_len.into()).ok_or(NotAKey)?;
    let (len, rest) = rest.split_first_chunk().ok_or(NotAKey)?;
    let len = u32::from_le_bytes(*len) as usize;
    let (value, rest) = rest.split_at_checked(len).ok_or(NotAKey)?;
    let value = match kind {
        TEXT => Value::Text(std::str::from_utf8(value).map_err(|_| NotAKey)?),
        NUMBER => {
            let bytes: [u8; 8] = value.try_into().map_err(|_| NotAKey)?;
            Value::Number(u64::from_le_bytes(bytes))
        }
        DIGEST => {
            let bytes: [u8; 32] = value.try_into().map_err(|_| NotAKey)?;
            Value::Digest(Fingerprint::from_bytes(bytes))
        }
        BYTES => Value::Bytes(value),
        _ => return Err(NotAKey),
    };
    let name = std::str::from_utf8(name).map_err(|_| NotAKey)?;
    Ok((Part { name, value }, rest))
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{}", text.escape_debug()),
            Value::Number(number) => write!(f, "{number}"),
            Value::Digest(digest) => write!(f, "{digest}"),
            Value::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

/// One part a line.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().try_for_each(|part| writeln!(f, "{part}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    fn example() -> Key {
        let mut key = Key::new();
        key.number("format", 1)
            .text("compiler", "worldage-cranelift 0.1.0")
            .text("instance", "f(Int64)")
            .text("shard", "opt:speed")
            .digest("inferred", Fingerprint::of(b"body"))
            .text("calls", "g(Int64)")
            .blob("flags", &[1, 255]);
        key
    }

    #[test]
    fn prints_line_by_line() {
        expect![[r#"
            format: 1
            compiler: worldage-cranelift 0.1.0
            instance: f(Int64)
            shard: opt:speed
            inferred: 0be9c598ae63835518e7fb422dc3027f452d75f3dbdb94c90d843298b1180ad9
            calls: g(Int64)
            flags: 01ff
        "#]]
        .assert_eq(&example().to_string());
    }

    #[test]
    fn the_digest_is_that_of_the_documented_bytes() {
        let mut key = Key::new();
        key.number("n", 1).text("t", "x");
        let bytes = b"\x02\x01n\x08\0\0\0\x01\0\0\0\0\0\0\0\x01\x01t\x01\0\0\0x";
        assert_eq!(key.bytes(), bytes);
        assert_eq!(key.fingerprint(), Fingerprint::of(bytes));
    }

    #[test]
    fn shows_what_differs() {
        let one = example();
        let mut other = Key::new();
        other
            .number("format", 1)
            .text("compiler", "worldage-cranelift 0.1.0")
            .text("instance", "f(Int64)")
            .text("shard", "opt:none")
            .digest("inferred", Fingerprint::of(b"body"))
            .text("calls", "g(Int64)")
            .text("calls", "h(Int64)")
            .blob("flags", &[1, 255]);
        expect![[r#"
            - shard: opt:speed
            + shard: opt:none
            + calls: h(Int64)
        "#]]
        .assert_eq(&one.diff(&other));
        let (ours, theirs) = one.first_difference(&other).unwrap();
        assert_eq!(ours.to_string(), "shard: opt:speed");
        assert_eq!(theirs.unwrap().to_string(), "shard: opt:none");
        assert_eq!(one.diff(&one), "");
        assert_eq!(one.first_difference(&one), None);
    }

    proptest! {
        #[test]
        fn wrong_bytes_are_refused_or_read_back_equal(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(key) = Key::from_bytes(&bytes) {
                prop_assert_eq!(key.bytes(), &bytes[..]);
                let _shown = key.to_string();
            }
        }

        #[test]
        fn a_cut_key_is_refused_or_a_prefix(at in 0usize..200) {
            let key = example();
            let at = at.min(key.bytes().len());
            if let Ok(cut) = Key::from_bytes(&key.bytes()[..at]) {
                prop_assert!(key.parts().zip(cut.parts()).all(|(a, b)| a == b));
                prop_assert!(cut.parts().count() <= key.parts().count());
            }
        }
    }
}
