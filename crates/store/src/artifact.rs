//! One stored thing: its name, kind, origin and payload; and the container that it travels in
//! between machines (`docs/artifact-format.md` draws the bytes).
//!
//! Invariant: nothing behind the checksum is looked at before the checksum, and where one is
//! asked for the tag, has been verified. The checksum covers the name too, so bytes that were
//! put under another name are refused.

use crate::fingerprint::Fingerprint;
use crate::trust::Secret;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// The version of the container that is written, and the only one so far that is read.
pub const FORMAT_VERSION: u16 = 1;

const MAGIC: &[u8; 4] = b"WAGA";
/// Magic, version, kind, flags.
const HEAD: usize = 8;
const DIGEST: usize = 32;
const TAGGED: u8 = 1;

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Code, named by everything that it was made from: two of one name are equal.
    Code = 1,
    /// Inference traces, named by what was inferred; a later one replaces an earlier one.
    Trace = 2,
    /// The readable keys of the newest code of an instance and shard; replaced likewise.
    Keys = 3,
    /// A dispatch table: JSON that says which schedule of a kernel is the fastest; replaced likewise.
    Table = 4,
    /// What a session had of a shard when it ended, for its next start; replaced likewise.
    Image = 5,
    /// Some of the results of an image, named by what they are: two of one name are equal.
    Part = 6,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] = [
        Kind::Code,
        Kind::Trace,
        Kind::Keys,
        Kind::Table,
        Kind::Image,
        Kind::Part,
    ];

    /// From its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// For people and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Code => "code",
            Kind::Trace => "trace",
            Kind::Keys => "keys",
            Kind::Table => "table",
            Kind::Image => "image",
            Kind::Part => "part",
        }
    }

    /// Whether a later artifact of the same name takes the place of an earlier one.
    #[must_use]
    pub fn is_replaced(self) -> bool {
        !matches!(self, Kind::Code | Kind::Part)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who made an artifact, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The compiler and its version, e.g. `worldage-cranelift 0.1.0`.
    pub producer: Box<str>,
    /// The target, e.g. `x86_64`; empty for what is the same on all.
    pub target: Box<str>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.producer)?;
        match &*self.target {
            "" => Ok(()),
            target => write!(f, " for {target}"),
        }
    }
}

/// One stored thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is found by.
    pub name: Fingerprint,
    /// What it is.
    pub kind: Kind,
    /// Who made it, for what.
    pub origin: Arc<Origin>,
    /// The embedder's bytes, which may share their memory with others that were read with them.
    pub payload: Bytes,
}

/// Why stored bytes are not used: all of these are a miss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Less than what the header says.
    #[error("it is truncated")]
    Truncated,
    /// Not ours.
    #[error("it does not start as an artifact does")]
    Magic,
    /// Of a format that this version does not read.
    #[error("its format has version {0}, which this version of worldage does not read")]
    Version(u16),
    /// Something unknown, or not what was asked for.
    #[error("it is not of the kind that was asked for")]
    Kind,
    /// The bytes are not those that were written.
    #[error("its checksum does not match")]
    Checksum,
    /// A tag is asked for, and there is none.
    #[error("it carries no tag, and others can write where it lies")]
    Untagged,
    /// Tagged with another key.
    #[error("its tag was made with another key")]
    Tag,
    /// Made by another compiler or for another target.
    #[error("it was made by {0}")]
    Origin(Origin),
    /// The payload is not what its kind asks for.
    #[error("its payload is wrong: {0}")]
    Payload(String),
}

impl Reject {
    /// Whether nobody can use these bytes: they are not what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(
            self,
            Reject::Version(_) | Reject::Untagged | Reject::Tag | Reject::Origin(_)
        )
    }
}

impl Artifact {
    /// The container's bytes: the same for equal artifacts; with a tag if there is a secret.
    #[must_use]
    pub fn to_bytes(&self, secret: Option<&Secret>) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + 2 * DIGEST + 64 + self.payload.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.push(self.kind as u8);
        out.push(if secret.is_some() { TAGGED } else { 0 });
        let body = HEAD + if secret.is_some() { 2 } else { 1 } * DIGEST;
        out.resize(body, 0);
        put_text(&mut out, &self.origin.producer);
        put_text(&mut out, &self.origin.target);
        out.extend_from_slice(&self.payload);
        let checksum = checksum(&self.name, &out[..HEAD], &out[body..]);
        out[HEAD..HEAD + DIGEST].copy_from_slice(checksum.as_bytes());
        if let Some(secret) = secret {
            let tag = secret.tag(checksum.as_bytes());
            out[HEAD + DIGEST..body].copy_from_slice(&tag);
        }
        out
    }

    /// Reads a container back; with a secret, only if it is tagged with it.
    ///
    /// # Errors
    /// Why it must not be used.
    pub fn from_bytes(
        name: Fingerprint,
        bytes: Vec<u8>,
        secret: Option<&Secret>,
    ) -> Result<Artifact, Reject> {
        let (head, rest) = bytes.split_at_checked(HEAD).ok_or(Reject::Truncated)?;
        if &head[..4] != MAGIC {
            return Err(Reject::Magic);
        }
        let version = u16::from_le_bytes([head[4], head[5]]);
        if version != FORMAT_VERSION {
            return Err(Reject::Version(version));
        }
        let (written, rest) = rest.split_first_chunk().ok_or(Reject::Truncated)?;
        let (tag, body) = match head[7] & TAGGED {
            0 => (None, rest),
            _ => {
                let (tag, body) = rest.split_first_chunk().ok_or(Reject::Truncated)?;
                (Some(tag), body)
            }
        };
        // `blake3::Hash` compares in constant time.
        if checksum(&name, head, body) != blake3::Hash::from(*written) {
            return Err(Reject::Checksum);
        }
        match (secret, tag) {
            (None, _) => {}
            (Some(_), None) => return Err(Reject::Untagged),
            (Some(secret), Some(tag)) if !secret.verify(written, tag) => return Err(Reject::Tag),
            (Some(_), Some(_)) => {}
        }
        let kind = Kind::from_number(head[6]).ok_or(Reject::Kind)?;
        let mut rest = body;
        let producer = take_text(&mut rest)?;
        let target = take_text(&mut rest)?;
        let range = bytes.len() - rest.len()..bytes.len();
        Ok(Artifact {
            name,
            kind,
            origin: Arc::new(Origin { producer, target }),
            payload: Bytes::from(bytes).slice(range),
        })
    }
}

fn checksum(name: &Fingerprint, head: &[u8], body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(head).update(body);
    hasher.finalize()
}

/// Writes `u16` length and text; what is longer than a length can say is cut.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(u16::MAX.into())];
    let len = u16::try_from(text.len()).expect("cut to this");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn take_text(rest: &mut &[u8]) -> Result<Box<str>, Reject> {
    let (len, after) = rest.split_first_chunk().ok_or(Reject::Truncated)?;
    let (text, after) = after
        .split_at_checked(u16::from_le_bytes(*len).into())
        .ok_or(Reject::Truncated)?;
    *rest = after;
    let text = std::str::from_utf8(text).map_err(|error| Reject::Payload(error.to_string()))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Artifact {
        Artifact {
            name: Fingerprint::of(b"name"),
            kind: Kind::Code,
            origin: Arc::new(Origin {
                producer: "worldage-cranelift 0.1.0".into(),
                target: "x86_64".into(),
            }),
            payload: vec![0xc3; 40].into(),
        }
    }

    #[test]
    fn round_trip_with_and_without_a_tag() {
        let artifact = example();
        let secret = Secret::new(b"one");
        for write in [None, Some(&secret)] {
            let bytes = artifact.to_bytes(write);
            assert_eq!(bytes, artifact.to_bytes(write), "same input, same bytes");
            let read = Artifact::from_bytes(artifact.name, bytes.clone(), None);
            assert_eq!(read, Ok(artifact.clone()));
            let read = Artifact::from_bytes(artifact.name, bytes.clone(), Some(&secret));
            let expected = write.map(|_| artifact.clone()).ok_or(Reject::Untagged);
            assert_eq!(read, expected);
            let other = Artifact::from_bytes(artifact.name, bytes, Some(&Secret::new(b"two")));
            assert_eq!(other, Err(write.map_or(Reject::Untagged, |_| Reject::Tag)));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let artifact = example();
        let secret = Secret::new(b"one");
        for (write, read) in [(None, None), (Some(&secret), Some(&secret))] {
            let bytes = artifact.to_bytes(write);
            for bit in 0..bytes.len() * 8 {
                let mut wrong = bytes.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                let read = Artifact::from_bytes(artifact.name, wrong, read);
                assert!(read.is_err(), "bit {bit}");
            }
            for len in 0..bytes.len() {
                let read = Artifact::from_bytes(artifact.name, bytes[..len].to_vec(), read);
                assert!(read.is_err(), "cut to {len}");
            }
        }
    }

    #[test]
    fn another_name_or_version_is_refused() {
        let bytes = example().to_bytes(None);
        let other = Fingerprint::of(b"other");
        let read = Artifact::from_bytes(other, bytes.clone(), None);
        assert_eq!(read, Err(Reject::Checksum));
        let mut newer = bytes;
        newer[4] = 2;
        let read = Artifact::from_bytes(example().name, newer, None);
        assert_eq!(read, Err(Reject::Version(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes: Vec<u8>) {
            prop_assert!(Artifact::from_bytes(Fingerprint::of(b""), bytes, None).is_err());
        }
    }
}
