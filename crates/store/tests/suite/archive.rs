//! Export and import: what goes out comes in, and a damaged archive brings nothing.

use super::fixture::{codes, held, local, name, trace};
use std::fs;
use worldage_store::archive::{ArchiveError, export, import};
use worldage_store::layer::Layer;
use worldage_store::shared::Shared;
use worldage_store::trust::Secret;
use worldage_store::{Kind, Reject};

fn quiet(_: u64, _: u64) {}

#[test]
fn what_is_exported_can_be_imported() {
    let root = tempfile::tempdir().unwrap();
    let from = local(&root.path().join("from"));
    from.put(&codes(0..300)).unwrap();
    from.put(&[trace(1, b"old"), trace(1, b"new")]).unwrap();
    let file = root.path().join("a.tar.zst");
    let mut last = (0, 0);
    let exported = export(&from, &file, None, &mut |done, all| last = (done, all)).unwrap();
    assert_eq!((exported, last), (301, (301, 301)));
    let again = root.path().join("b.tar.zst");
    // The same artifacts from another layer, in another order.
    let shared = Shared::open(&root.path().join("shared"), None, false).unwrap();
    assert_eq!(import(&shared, &file, None, &mut quiet).unwrap(), 301);
    export(&shared, &again, None, &mut quiet).unwrap();
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
    let to = local(&root.path().join("to"));
    import(&to, &again, None, &mut quiet).unwrap();
    assert_eq!(held(&to, 0..301).len(), 300);
    let found = to.get(Kind::Trace, &name(1)).unwrap();
    assert_eq!(found, Some(trace(1, b"new")));
}

#[test]
fn a_damaged_archive_brings_nothing() {
    let root = tempfile::tempdir().unwrap();
    let from = local(&root.path().join("from"));
    from.put(&codes(0..10)).unwrap();
    let file = root.path().join("a.tar.zst");
    export(&from, &file, None, &mut quiet).unwrap();
    let bytes = fs::read(&file).unwrap();
    let unpacked = zstd::decode_all(&bytes[..]).unwrap();
    let to = local(&root.path().join("to"));
    let check = |what: String, damaged: &[u8]| {
        fs::write(&file, damaged).unwrap();
        let result = import(&to, &file, None, &mut quiet);
        assert!(result.is_err(), "{what}");
        assert!(held(&to, 0..10).is_empty(), "{what}");
    };
    for len in (0..bytes.len()).step_by(97) {
        check(format!("cut to {len}"), &bytes[..len]);
    }
    // Damage that the compression does not notice. Padding and the mode, owner and time of a tar
    // header mean nothing, so only what we read is flipped: from each name on, the contents.
    for at in (600..unpacked.len()).step_by(331) {
        let mut damaged = unpacked.clone();
        damaged[at] ^= 1;
        let packed = zstd::encode_all(&damaged[..], 1).unwrap();
        fs::write(&file, packed).unwrap();
        if import(&to, &file, None, &mut quiet).is_ok() {
            assert_eq!(held(&to, 0..10).len(), 10, "byte {at}");
            to.clear().unwrap();
        } else {
            assert!(held(&to, 0..10).is_empty(), "byte {at}");
        }
    }
}

#[test]
fn with_a_key_only_tagged_artifacts_come_in() {
    let root = tempfile::tempdir().unwrap();
    let from = local(&root.path().join("from"));
    from.put(&codes(0..3)).unwrap();
    let (ours, theirs) = (Secret::new(b"ours"), Secret::new(b"theirs"));
    let file = root.path().join("a.tar.zst");
    let to = local(&root.path().join("to"));
    let exchange = |out: Option<&Secret>, back: Option<&Secret>| {
        export(&from, &file, out, &mut quiet).unwrap();
        import(&to, &file, back, &mut quiet)
    };
    let refused = |result| match result {
        Err(ArchiveError::Rejected { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(exchange(None, Some(&ours))), Reject::Untagged);
    assert_eq!(refused(exchange(Some(&theirs), Some(&ours))), Reject::Tag);
    assert_eq!(exchange(Some(&ours), Some(&ours)).unwrap(), 3);
    assert_eq!(exchange(Some(&theirs), None).unwrap(), 3);
}
