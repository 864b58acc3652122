//! Shared folders, layers behind one another, and trust.

use super::fixture::{code, codes, held, hits, local, name, sink, trace};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use worldage_store::layer::Layer;
use worldage_store::shared::Shared;
use worldage_store::trust::Secret;
use worldage_store::{Kind, LayerError, Options, Reject, Store, Strategy};

fn shared(folder: &Path) -> Shared {
    Shared::open(folder, None, false).unwrap()
}

#[test]
fn a_shared_folder_keeps_what_is_put() {
    let folder = tempfile::tempdir().unwrap();
    let layer = shared(folder.path());
    assert!(held(&layer, 0..20).is_empty());
    layer.put(&codes(0..20)).unwrap();
    layer.put(&codes(0..20)).unwrap();
    layer.put(&[trace(1, b"old")]).unwrap();
    layer.put(&[trace(1, b"new")]).unwrap();
    let again = shared(folder.path());
    assert_eq!(held(&again, 0..21).len(), 20);
    assert_eq!(
        again.get(Kind::Trace, &name(1)).unwrap(),
        Some(trace(1, b"new"))
    );
    assert_eq!(again.verify().unwrap().good, 21);
    let left_over = fs::read_dir(folder.path().join("v1/tmp")).unwrap().count();
    assert_eq!(left_over, 0);
    again.clear().unwrap();
    assert!(held(&layer, 0..20).is_empty());
}

#[test]
fn damaged_files_are_refused_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let layer = shared(folder.path());
    layer.put(&codes(0..3)).unwrap();
    let path = |n: u32| {
        let digits = name(n).to_string();
        let (two, others) = digits.split_at(2);
        folder
            .path()
            .join("v1")
            .join(two)
            .join(format!("{others}.code"))
    };
    fs::write(path(0), b"").unwrap();
    let mut bytes = fs::read(path(1)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path(1), bytes).unwrap();
    // Right bytes under another name.
    fs::copy(path(2), path(3).with_file_name("x")).unwrap_or_default();
    let get = |n: u32| layer.get(Kind::Code, &name(n));
    assert!(matches!(
        get(0),
        Err(LayerError::Rejected(Reject::Truncated))
    ));
    assert!(matches!(
        get(1),
        Err(LayerError::Rejected(Reject::Checksum))
    ));
    let verified = layer.verify().unwrap();
    assert_eq!((verified.good, verified.bad.len()), (1, 2));
    assert_eq!(held(&layer, 0..3), [2]);
    layer.put(&codes(0..3)).unwrap();
    assert_eq!(held(&layer, 0..3), [0, 1, 2]);
}

#[test]
fn reads_fall_through_and_fill_the_nearer_layer() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    shared(far.path()).put(&codes(0..50)).unwrap();
    let options = Options {
        folder: Some(near.path().into()),
        shared: Some(far.path().into()),
        ..Options::default()
    };
    let (to, told) = sink();
    let store = Store::open(&options, to);
    assert_eq!(hits(&store, 0..60), 50);
    store.put(code(55));
    drop(store);
    assert_eq!(held(&local(near.path()), 0..60).len(), 51);
    assert_eq!(held(&shared(far.path()), 0..60).len(), 51);
    // Each strategy sees its own layers.
    fs::remove_dir_all(far.path().join("v1")).unwrap();
    for (strategy, expected) in [
        (Strategy::Local, 51),
        (Strategy::Shared, 0),
        (Strategy::Layered, 51),
    ] {
        let options = Options {
            strategy,
            ..options.clone()
        };
        let store = Store::open(&options, sink().0);
        assert_eq!(hits(&store, 0..60), expected, "{strategy:?}");
    }
    assert!(told.lock().is_empty());
}

#[test]
fn a_read_only_shared_folder_is_never_written() {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    shared(far.path()).put(&codes(0..5)).unwrap();
    let options = Options {
        folder: Some(near.path().into()),
        shared: Some(far.path().into()),
        shared_read_only: true,
        ..Options::default()
    };
    let (to, told) = sink();
    let store = Store::open(&options, to);
    assert_eq!(hits(&store, 0..6), 5);
    store.put(code(5));
    drop(store);
    assert_eq!(held(&shared(far.path()), 0..6).len(), 5);
    assert_eq!(held(&local(near.path()), 0..6).len(), 6);
    assert!(told.lock().is_empty());
}

#[test]
fn a_folder_that_others_can_write_needs_a_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let error = Shared::open(folder.path(), None, false).unwrap_err();
    assert!(error.to_string().contains("WORLDAGE_CACHE_KEY"), "{error}");
    let with = |key: &str| Shared::open(folder.path(), Some(Secret::new(key.as_bytes())), false);
    let ours = with("ours").unwrap();
    ours.put(&codes(0..3)).unwrap();
    assert_eq!(held(&ours, 0..4), [0, 1, 2]);
    // Someone without the key, or with another, puts something there.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.path().join("v1"), Permissions::from_mode(0o700)).unwrap();
    shared(folder.path()).put(&codes(3..4)).unwrap();
    with("theirs").unwrap().put(&codes(4..5)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let get = |n: u32| ours.get(Kind::Code, &name(n));
    assert!(matches!(
        get(3),
        Err(LayerError::Rejected(Reject::Untagged))
    ));
    assert!(matches!(get(4), Err(LayerError::Rejected(Reject::Tag))));
    // Through the store: a miss, one warning, and what is compiled instead takes its place.
    let options = Options {
        shared: Some(folder.path().into()),
        secret: Some(Secret::new(b"ours")),
        ..Options::default()
    };
    let (to, told) = sink();
    let store = Store::open(&options, to);
    assert_eq!(hits(&store, 0..5), 3);
    assert_eq!(told.lock().len(), 1, "{told:?}");
    codes(3..5).into_iter().for_each(|code| store.put(code));
    drop(store);
    assert_eq!(held(&ours, 0..5).len(), 5);
}

#[test]
fn a_local_folder_that_others_can_write_needs_a_key_too() {
    let folder = tempfile::tempdir().unwrap();
    local(folder.path()).put(&codes(0..1)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let options = Options {
        folder: Some(folder.path().into()),
        ..Options::default()
    };
    let (to, told) = sink();
    assert!(Store::open(&options, to).is_empty());
    assert_eq!(told.lock().len(), 1);
    let options = Options {
        secret: Some(Secret::new(b"ours")),
        ..options
    };
    let (to, told) = sink();
    let store = Store::open(&options, to);
    assert_eq!(hits(&store, 0..1), 0, "it was written without a tag");
    assert_eq!(told.lock().len(), 1, "{told:?}");
    store.put(code(0));
    store.flush();
    assert_eq!(hits(&store, 0..1), 1);
}
