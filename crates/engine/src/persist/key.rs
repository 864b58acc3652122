//! The bytes of a key: named parts in order, as the document of the artifact format draws them.

/// A key under construction.
#[derive(Clone, Default)]
pub(super) struct KeyWriter {
    pub(super) bytes: Vec<u8>,
}

/// Room for most keys.
const USUAL_BYTES: usize = 120;
const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const DIGEST: u8 = 3;

impl KeyWriter {
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.part(TEXT, name, value.as_bytes());
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.part(NUMBER, name, &value.to_le_bytes());
    }

    pub(super) fn digest(&mut self, name: &str, value: &[u8; 32]) {
        self.part(DIGEST, name, value);
    }

    fn part(&mut self, kind: u8, name: &str, value: &[u8]) {
        // Names of instances can be longer than a part's name may be; what is cut off is told
        // apart by the identities in the values.
        let name = &name[..name.floor_char_boundary(u8::MAX.into())];
        let name_len = u8::try_from(name.len()).expect("cut to this");
        let len = u32::try_from(value.len()).expect("values of key parts are below 4 GiB");
        let room = 6 + name.len() + value.len();
        if self.bytes.capacity() - self.bytes.len() < room {
            self.bytes.reserve(room.max(USUAL_BYTES));
        }
        self.bytes.extend_from_slice(&[kind, name_len]);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn name(&self) -> [u8; 32] {
        blake3::hash(&self.bytes).into()
    }
}

/// The name of the first part in which two keys differ.
pub(super) fn first_difference(one: &[u8], other: &[u8]) -> Option<String> {
    let (mut one, mut other) = (one, other);
    loop {
        let (ours, rest) = split(one)?;
        match split(other) {
            Some((theirs, after)) if theirs == ours => (one, other) = (rest, after),
            _ => {
                let name_len = usize::from(ours[1]);
                return Some(String::from_utf8_lossy(&ours[2..2 + name_len]).into_owned());
            }
        }
    }
}

/// The bytes of the first part, and what follows it.
fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let name_len = usize::from(*key.get(1)?);
    let len = key.get(2 + name_len..6 + name_len)?.try_into().ok()?;
    key.split_at_checked(6 + name_len + u32::from_le_bytes(len) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_that_differs_is_named() {
        let key = |shard: &str, body: u64| {
            let mut key = KeyWriter::default();
            key.text("shard", shard);
            key.number("body g", body);
            key.bytes
        };
        let (one, shard, body) = (key("a", 1), key("b", 1), key("a", 2));
        assert_eq!(first_difference(&one, &shard).as_deref(), Some("shard"));
        assert_eq!(first_difference(&one, &body).as_deref(), Some("body g"));
        assert_eq!(
            first_difference(&one, &one[..14]).as_deref(),
            Some("body g")
        );
        assert_eq!(first_difference(&one, &one), None);
    }
}
