//! The bytes of a key: named parts in order, as the document of the artifact format draws them.

/// A key under construction.
#[derive(Clone, Default)]
pub(super) struct KeyWriter {
    pub(super) bytes: Vec<u8>,
}

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
        self.bytes.extend_from_slice(&[kind, name_len]);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn name(&self) -> [u8; 32] {
        blake3::hash(&self.bytes).into()
    }
}
