//! Many artifacts in one piece: what was written together is read together.
//!
//! The local layer keeps chunks instead of single artifacts, because reading (and checking) one
//! large piece costs a fraction of reading a hundred small ones, and what one program wrote
//! together its next start asks for together. `docs/artifact-format.md` draws the bytes.
//!
//! Invariant: nothing behind the checksum is looked at before it has been verified.

use crate::artifact::{Artifact, Kind, Origin, Reject, put_text, take_text};
use crate::fingerprint::Fingerprint;
use crate::trust::Secret;
use bytes::Bytes;
use std::sync::Arc;

/// The version of chunks that is written, and the only one so far that is read.
const CHUNK_VERSION: u16 = 1;
const MAGIC: &[u8; 4] = b"WAGC";
const HEAD: usize = 8;
const DIGEST: usize = 32;
const TAGGED: u8 = 1;

/// The bytes of a chunk: the same for equal artifacts in equal order.
///
/// # Panics
/// When they are 4 GiB or more.
#[must_use]
pub fn encode(artifacts: &[Artifact], secret: Option<&Secret>) -> Vec<u8> {
    let payloads: usize = artifacts
        .iter()
        .map(|artifact| artifact.payload.len())
        .sum();
    let mut out = Vec::with_capacity(HEAD + 2 * DIGEST + 64 + artifacts.len() * 40 + payloads);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&CHUNK_VERSION.to_le_bytes());
    out.push(0);
    out.push(if secret.is_some() { TAGGED } else { 0 });
    let body = HEAD + if secret.is_some() { 2 } else { 1 } * DIGEST;
    out.resize(body, 0);
    let mut origins: Vec<&Origin> = Vec::new();
    let of: Vec<u32> = artifacts
        .iter()
        .map(|artifact| {
            let known = origins
                .iter()
                .position(|origin| **origin == *artifact.origin);
            let ix = known.unwrap_or_else(|| {
                origins.push(&artifact.origin);
                origins.len() - 1
            });
            len32(ix)
        })
        .collect();
    out.extend_from_slice(&len32(origins.len()).to_le_bytes());
    for origin in origins {
        put_text(&mut out, &origin.producer);
        put_text(&mut out, &origin.target);
    }
    out.extend_from_slice(&len32(artifacts.len()).to_le_bytes());
    for (artifact, origin) in artifacts.iter().zip(of) {
        out.extend_from_slice(artifact.name.as_bytes());
        out.push(artifact.kind as u8);
        out.extend_from_slice(&origin.to_le_bytes()[..3]);
        out.extend_from_slice(&len32(artifact.payload.len()).to_le_bytes());
    }
    for artifact in artifacts {
        out.extend_from_slice(&artifact.payload);
    }
    let checksum = checksum(&out[..HEAD], &out[body..]);
    out[HEAD..HEAD + DIGEST].copy_from_slice(checksum.as_bytes());
    if let Some(secret) = secret {
        let tag = secret.tag(checksum.as_bytes());
        out[HEAD + DIGEST..body].copy_from_slice(&tag);
    }
    out
}

/// Lengths in a chunk: the writer starts a new one long before 4 GiB.
fn len32(len: usize) -> u32 {
    u32::try_from(len).expect("chunks are below 4 GiB")
}

/// The artifacts of a chunk, which share its memory; with a secret, only if it is tagged with it.
///
/// # Errors
/// Why none of it must be used.
pub fn decode(bytes: Vec<u8>, secret: Option<&Secret>) -> Result<Vec<Artifact>, Reject> {
    let body = verify(&bytes, secret)?;
    let mut rest = &bytes[body..];
    let origins = take_u32(&mut rest)? as usize;
    let origins: Vec<Arc<Origin>> = (0..origins)
        .map(|_| {
            let producer = take_text(&mut rest)?;
            let target = take_text(&mut rest)?;
            Ok(Arc::new(Origin { producer, target }))
        })
        .collect::<Result<_, Reject>>()?;
    let count = take_u32(&mut rest)? as usize;
    const ENTRY: usize = 40;
    let directory = count.checked_mul(ENTRY).ok_or(Reject::Truncated)?;
    let (directory, payloads) = rest.split_at_checked(directory).ok_or(Reject::Truncated)?;
    let mut at = bytes.len() - payloads.len();
    let mut heads = Vec::with_capacity(count);
    for entry in directory.as_chunks::<ENTRY>().0 {
        let (name, entry) = entry.split_first_chunk::<32>().ok_or(Reject::Truncated)?;
        let kind = Kind::from_number(entry[0]).ok_or(Reject::Kind)?;
        let origin = u32::from_le_bytes([entry[1], entry[2], entry[3], 0]) as usize;
        let origin = origins.get(origin).ok_or(Reject::Truncated)?;
        let len = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]) as usize;
        let end = at.checked_add(len).filter(|end| *end <= bytes.len());
        let end = end.ok_or(Reject::Truncated)?;
        heads.push((Fingerprint::from_bytes(*name), kind, origin, at..end));
        at = end;
    }
    let owner = Bytes::from(bytes);
    let artifacts = heads
        .into_iter()
        .map(|(name, kind, origin, range)| Artifact {
            name,
            kind,
            origin: Arc::clone(origin),
            payload: owner.slice(range),
        });
    Ok(artifacts.collect())
}

/// Checks everything that can be checked without decoding; gives where the body starts.
fn verify(bytes: &[u8], secret: Option<&Secret>) -> Result<usize, Reject> {
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or(Reject::Truncated)?;
    if &head[..4] != MAGIC {
        return Err(Reject::Magic);
    }
    let version = u16::from_le_bytes([head[4], head[5]]);
    if version != CHUNK_VERSION {
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
    if checksum(head, body) != blake3::Hash::from(*written) {
        return Err(Reject::Checksum);
    }
    match (secret, tag) {
        (None, _) => {}
        (Some(_), None) => return Err(Reject::Untagged),
        (Some(secret), Some(tag)) if !secret.verify(written, tag) => return Err(Reject::Tag),
        (Some(_), Some(_)) => {}
    }
    Ok(bytes.len() - body.len())
}

fn checksum(head: &[u8], body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(body);
    hasher.finalize()
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Reject> {
    let (number, after) = rest.split_first_chunk().ok_or(Reject::Truncated)?;
    *rest = after;
    Ok(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn artifact(n: u8) -> Artifact {
        let target = if n.is_multiple_of(2) { "x86_64" } else { "" };
        Artifact {
            name: Fingerprint::of(&[n]),
            kind: Kind::ALL[usize::from(n) % Kind::ALL.len()],
            origin: Arc::new(Origin {
                producer: "test 1".into(),
                target: target.into(),
            }),
            payload: vec![n; n.into()].into(),
        }
    }

    #[test]
    fn round_trip() {
        let secret = Secret::new(b"one");
        for count in [0, 1, 2, 20] {
            let artifacts: Vec<_> = (0..count).map(artifact).collect();
            for secret in [None, Some(&secret)] {
                let bytes = encode(&artifacts, secret);
                assert_eq!(decode(bytes, secret).unwrap(), artifacts);
            }
        }
    }

    #[test]
    fn tags_are_asked_for_where_there_is_a_secret() {
        let (one, two) = (Secret::new(b"one"), Secret::new(b"two"));
        let artifacts = [artifact(1)];
        let refused = decode(encode(&artifacts, None), Some(&one));
        assert_eq!(refused, Err(Reject::Untagged));
        let refused = decode(encode(&artifacts, Some(&two)), Some(&one));
        assert_eq!(refused, Err(Reject::Tag));
        assert!(decode(encode(&artifacts, Some(&two)), None).is_ok());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let artifacts: Vec<_> = (0..4).map(artifact).collect();
        let bytes = encode(&artifacts, None);
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(wrong, None).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(decode(bytes[..len].to_vec(), None).is_err(), "cut to {len}");
        }
    }

    proptest! {
        /// Bytes with a right checksum that no writer wrote are refused, not trusted.
        #[test]
        fn any_body_is_safe(body: Vec<u8>) {
            let mut bytes = encode(&[], None);
            bytes.truncate(HEAD + DIGEST);
            bytes.extend_from_slice(&body);
            let sum = checksum(&bytes[..HEAD], &bytes[HEAD + DIGEST..]);
            bytes[HEAD..HEAD + DIGEST].copy_from_slice(sum.as_bytes());
            let _ = decode(bytes, None);
        }
    }
}
