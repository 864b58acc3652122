//! The local layer: what is put is got, replaced artifacts die, old chunks are evicted.

use super::fixture::{code, codes, held, local, name, trace};
use worldage_store::Kind;
use worldage_store::layer::Layer;
use worldage_store::local::Local;

#[test]
fn what_is_put_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<u32> = (0..1000).collect();
    {
        let local = local(folder.path());
        assert!(held(&local, 0..1000).is_empty());
        local.put(&codes(0..500)).unwrap();
        local.put(&codes(400..1000)).unwrap();
        assert_eq!(held(&local, 0..1000), all);
    }
    let local = local(folder.path());
    assert_eq!(held(&local, 0..1001), all);
    let stats = local.stats().unwrap();
    assert_eq!(stats.kinds[0].0, 1000, "nothing is stored twice: {stats:?}");
    assert!(stats.chunks < 20, "{stats:?}");
    let mut seen = 0;
    let mut count = |_: &_| {
        seen += 1;
        Ok(())
    };
    local.each(&mut count).unwrap();
    assert_eq!(seen, 1000);
    assert_eq!(local.verify().unwrap().good, 1000);
}

#[test]
fn code_stays_and_traces_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let one = local(folder.path());
    let two = local(folder.path());
    one.put(&[trace(1, b"old"), trace(2, b"other")]).unwrap();
    assert_eq!(
        two.get(Kind::Trace, &name(2)).unwrap(),
        Some(trace(2, b"other"))
    );
    one.put(&[trace(1, b"new"), code(1), trace(1, b"newest")])
        .unwrap();
    for layer in [&one, &local(folder.path())] {
        assert_eq!(
            layer.get(Kind::Trace, &name(1)).unwrap(),
            Some(trace(1, b"newest"))
        );
        assert_eq!(layer.get(Kind::Code, &name(1)).unwrap(), Some(code(1)));
        assert_eq!(layer.get(Kind::Keys, &name(1)).unwrap(), None);
    }
    // A reader that read the chunk before may go on with what it has, and never gets a mixture.
    let seen = two.get(Kind::Trace, &name(1)).unwrap();
    assert!([trace(1, b"old"), trace(1, b"newest")].contains(&seen.unwrap()));
}

#[test]
fn what_is_forgotten_can_be_put_again() {
    let folder = tempfile::tempdir().unwrap();
    let local = local(folder.path());
    local.put(&codes(0..10)).unwrap();
    local.forget(Kind::Code, &name(3)).unwrap();
    assert_eq!(held(&local, 0..10), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    local.put(&codes(3..4)).unwrap();
    assert_eq!(held(&local, 0..10).len(), 10);
}

#[test]
fn many_small_writes_and_many_replacements_stay_compact() {
    let folder = tempfile::tempdir().unwrap();
    let local = local(folder.path());
    for n in 0..300 {
        local.put(&[code(n), trace(n % 5, &[7; 100])]).unwrap();
    }
    let stats = local.stats().unwrap();
    assert_eq!(stats.kinds[1], (5, 500));
    assert!(stats.kinds[2..].iter().all(|kind| *kind == (0, 0)));
    assert_eq!(stats.kinds[0].0, 300);
    assert!(stats.chunks < 50, "{stats:?}");
    assert_eq!(held(&local, 0..300).len(), 300);
    assert_eq!(local.verify().unwrap().good, 305);
}

#[test]
fn the_least_recently_used_chunks_are_evicted() {
    let folder = tempfile::tempdir().unwrap();
    const LIMIT: u64 = 1 << 20;
    let limited = || Local::open(folder.path(), LIMIT, None).unwrap();
    // Each session writes about 200 kB; the first of them is used by all later ones.
    for session in 0..30 {
        let local = limited();
        if session > 0 {
            assert_eq!(held(&local, 0..1), [0], "session {session}");
        }
        local
            .put(&codes(session * 200..session * 200 + 200))
            .unwrap();
        local.tidy().unwrap();
        let stats = local.stats().unwrap();
        assert!(stats.used_bytes <= LIMIT, "{stats:?}");
    }
    let local = limited();
    assert_eq!(held(&local, 29 * 200..6000).len(), 200);
    assert!(held(&local, 200..400).is_empty());
    assert!(local.verify().unwrap().bad.is_empty());
    local.vacuum().unwrap();
    let file = folder.path().join("worldage-v1-1.db");
    assert!(file.metadata().unwrap().len() < 2 * LIMIT);
}

#[test]
fn an_empty_store_stays_usable_after_clear() {
    let folder = tempfile::tempdir().unwrap();
    let local = local(folder.path());
    local.put(&codes(0..500)).unwrap();
    local.clear().unwrap();
    assert!(held(&local, 0..500).is_empty());
    local.put(&codes(0..500)).unwrap();
    assert_eq!(held(&local, 0..500).len(), 500);
}

#[test]
fn a_read_only_layer_is_read() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Local::open_read_only(folder.path(), None).is_err());
    local(folder.path()).put(&codes(0..10)).unwrap();
    let layer = Local::open_read_only(folder.path(), None).unwrap();
    assert_eq!(held(&layer, 0..11).len(), 10);
    assert!(!layer.is_writable());
    assert!(layer.put(&codes(10..11)).is_err());
    layer.tidy().unwrap();
    assert_eq!(layer.verify().unwrap().good, 10);
}
