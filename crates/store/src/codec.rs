//! The one file that names bincode: how plain values become bytes and back.
//!
//! Version 2.0.1, pinned (a later release no longer works), little-endian, variable-length
//! integers, at most [`LIMIT`] bytes. Only verified bytes are decoded; still, wrong bytes give an
//! error and never a panic or a huge allocation.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest value that is decoded.
pub const LIMIT: usize = 64 << 20;

/// Bytes that do not decode to what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot decode: {0}")]
pub struct DecodeError(String);

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<LIMIT>,
> = bincode::config::standard().with_limit::<LIMIT>();

/// The bytes of a value: the same for equal values, on every machine.
///
/// # Panics
/// When the value's `Serialize` fails; ours do not.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, CONFIG).expect("plain values can be encoded")
}

/// The value that all of these bytes stand for.
///
/// # Errors
/// When they do not, or when bytes are left over.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (value, read) = bincode::serde::decode_from_slice(bytes, CONFIG)
        .map_err(|error| DecodeError(error.to_string()))?;
    match bytes.len() - read {
        0 => Ok(value),
        left => Err(DecodeError(format!("{left} bytes are left over"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Value = (String, Vec<(u64, bool)>, Option<i32>);

    #[test]
    fn the_bytes_are_pinned() {
        let value: Value = ("ab".into(), vec![(300, true)], Some(-1));
        assert_eq!(encode(&value), b"\x02ab\x01\xfb\x2c\x01\x01\x01\x01");
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        let mut bytes = encode(&1u8);
        bytes.push(0);
        assert!(decode::<u8>(&bytes).is_err());
        // A length that no memory could hold.
        assert!(decode::<Vec<u8>>(b"\xfd\xff\xff\xff\xff\xff\xff\xff\x7f").is_err());
    }

    proptest! {
        #[test]
        fn round_trip(value: Value) {
            prop_assert_eq!(decode::<Value>(&encode(&value)).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_safe(bytes: Vec<u8>) {
            let _ = decode::<Value>(&bytes);
        }
    }
}
