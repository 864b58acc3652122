//! Types and instances in stored bytes: what one session wrote, another one reads by meaning,
//! whatever numbers its things have.
#![expect(unsafe_code, reason = "the stages are C functions")]

use expect_test::{Expect, expect};
use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use worldage_capi::compiler::Stages;
use worldage_capi::edit::*;
use worldage_capi::handle::*;
use worldage_capi::mention::*;
use worldage_capi::names::{Context, Edit, Handle, Instance, Session, Shard, Table, Type, View};
use worldage_capi::question::*;
use worldage_capi::session::*;
use worldage_capi::stage::*;
use worldage_capi::status::{Status, wa_last_error};
use worldage_capi::store::*;

macro_rules! ok {
    ($call:expr) => {
        match $call {
            Status::Ok => {}
            other => return other,
        }
    };
}

/// The session's types by name.
struct Program {
    session: Session,
    types: Vec<(String, Type)>,
}

impl Program {
    fn name(&self, ty: Type) -> u8 {
        let known = self.types.iter().rfind(|known| known.1 == ty);
        known.expect("it was declared").0.as_bytes()[0]
    }
}

/// A source is the name of a type, or `=`: the type that `g()` is of. Both are the summary's and
/// the body's only mention.
unsafe extern "C" fn infer(
    user: *mut c_void,
    context: Context,
    _: Instance,
    input: *const u8,
    length: usize,
) -> Status {
    // SAFETY: the tests give it, and the library the source.
    let (program, source) = unsafe {
        let program = &*user.cast::<Program>();
        (program, std::slice::from_raw_parts(input, length))
    };
    let mut ty = Type { id: 0 };
    let mut number = u32::MAX;
    match source {
        b"=" => {
            let mut g = Instance { id: 0 };
            ok!(wa_lookup(context, c"g".as_ptr(), null(), 0, &raw mut g));
            ok!(wa_mentioned_in_summary(context, g, 0, &raw mut ty));
            ok!(wa_mention_instance(context, g, &raw mut number));
            assert_eq!(number, 0);
        }
        name => {
            let mut known = program.types.iter();
            let known = known.rfind(|known| known.0.as_bytes() == name);
            ty = known.expect("it was declared").1;
        }
    }
    for _again in 0..2 {
        ok!(wa_mention_type(context, ty, &raw mut number));
        assert_eq!(number, 0);
        ok!(wa_mention_in_summary(context, ty, &raw mut number));
        assert_eq!(number, 0);
    }
    wa_give_inferred(context, source.as_ptr(), 1, null(), 0)
}

/// Code is the first letter of the type's name.
unsafe extern "C" fn codegen(
    user: *mut c_void,
    context: Context,
    own: Instance,
    input: *const u8,
    _: usize,
) -> Status {
    // SAFETY: as in `infer`.
    let (program, kind) = unsafe { (&*user.cast::<Program>(), *input) };
    let (mut ty, mut whose) = (Type { id: 0 }, own);
    if kind == b'=' {
        // What is said of another instance is read as its own bytes are.
        ok!(wa_mentioned_instance(context, own, 0, &raw mut whose));
    }
    ok!(wa_mentioned_type(context, whose, 0, &raw mut ty));
    let letter = program.name(ty);
    wa_give_code(context, &raw const letter, 1)
}

unsafe extern "C" fn link(
    _: *mut c_void,
    context: Context,
    _: Instance,
    input: *const u8,
    _: usize,
) -> Status {
    // SAFETY: as in `infer`.
    let letter = unsafe { *input };
    wa_give_entry(
        context,
        std::ptr::without_provenance(letter.into()),
        null_mut(),
    )
}

fn message() -> String {
    // SAFETY: it is a string that lives until the next mistake of this thread.
    let text = unsafe { CStr::from_ptr(wa_last_error()) };
    text.to_str().expect("messages are UTF-8").to_string()
}

/// A session with these types (`+` abstract) and the functions `f` and `g`.
fn program(types: &[&str], folder: &Path) -> &'static Program {
    let place = Box::into_raw(Box::new(Program {
        session: Session { id: 0 },
        types: Vec::new(),
    }));
    let stages = Stages {
        user: place.cast(),
        infer: Some(infer),
        codegen: Some(codegen),
        link: Some(link),
        unlink: None,
    };
    // SAFETY: it was made just now, is leaked, and no stage runs yet.
    let program = unsafe { &mut *place };
    let session = &raw mut program.session;
    assert_eq!(wa_session_open(&raw const stages, 1, session), Status::Ok);
    let session = program.session;
    let folder = CString::new(folder.to_str().expect("text")).expect("no zero");
    let producer = c"stored 1".as_ptr();
    let on = wa_store_on(session, folder.as_ptr(), null(), producer, None, null_mut());
    assert_eq!(on, Status::Ok);
    let mut any = Type { id: 0 };
    assert_eq!(wa_type_any(session, &raw mut any), Status::Ok);
    for name in types {
        let (name, is_abstract) = match name.strip_prefix('+') {
            Some(name) => (name, true),
            None => (*name, false),
        };
        let (mut ty, c_name) = (Type { id: 0 }, CString::new(name).expect("no zero"));
        let made = wa_type_declare(session, c_name.as_ptr(), any, is_abstract, &raw mut ty);
        assert_eq!(made, Status::Ok);
        program.types.push((name.to_string(), ty));
    }
    for (name, source) in [(c"f", "="), (c"g", "Circle")] {
        let (mut edit, mut world, base) = (Edit { id: 0 }, 0, Table { id: 0 });
        assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
        let (bytes, length) = (source.as_ptr(), source.len());
        let defined = wa_edit_define(edit, base, name.as_ptr(), null(), 0, bytes, length);
        assert_eq!(defined, Status::Ok);
        assert_eq!(wa_edit_commit(edit, &raw mut world), Status::Ok);
    }
    program
}

/// What `f` gives, or why it does not; what was made is written.
fn call(session: Session) -> String {
    let (view, mut shard) = (View { id: 0 }, Shard { id: 0 });
    let (mut instance, mut handle) = (Instance { id: 0 }, Handle { id: 0 });
    let (mut entry, mut stats) = (null(), StoreStats::default());
    let made = wa_shard(session, c"default".as_ptr(), view, &raw mut shard);
    assert_eq!(made, Status::Ok);
    let found = wa_find(session, view, c"f".as_ptr(), null(), 0, &raw mut instance);
    assert_eq!(found, Status::Ok);
    let made = wa_handle_new(session, instance, shard, 0, &raw mut handle);
    assert_eq!(made, Status::Ok);
    match wa_handle_entry(handle, &raw mut entry) {
        Status::Ok => {
            assert_eq!(wa_store_stats(session, &raw mut stats), Status::Ok);
            char::from(entry.addr() as u8).to_string()
        }
        // Keys are as long as they are.
        status => format!("{status:?}: {}", message().split(" (").next().unwrap_or("")),
    }
}

#[track_caller]
fn strictly(program: &Program, expected: Expect) {
    assert_eq!(wa_set_strict(program.session, true), Status::Ok);
    expected.assert_eq(&call(program.session));
}

#[test]
fn types_mean_the_same_in_another_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = program(&["Circle", "Square"], folder.path());
    assert_eq!(call(first.session), "C");
    // Other numbers, the same names.
    let second = program(&["Square", "Triangle", "Circle"], folder.path());
    strictly(second, expect!["C"]);
}

#[test]
fn another_type_of_the_same_name_is_another_type() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = program(&["Circle"], folder.path());
    assert_eq!(call(first.session), "C");
    strictly(
        program(&["+Circle"], folder.path()),
        expect![
            "StageFailed: infer of f() failed: strict: infer of f(): a type is not defined here, or otherwise"
        ],
    );
    // Which of both is meant cannot be said.
    let twice = ["Circle", "Circle"];
    strictly(
        program(&twice, folder.path()),
        expect![
            "StageFailed: infer of f() failed: strict: infer of f(): a type is not defined here, or otherwise"
        ],
    );
    assert_eq!(call(program(&twice, folder.path()).session), "C");
    // What was made with them was not stored, and the rest is as before.
    strictly(program(&["Circle"], folder.path()), expect!["C"]);
}

#[test]
fn a_store_is_emptied_and_turned_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = program(&["Circle"], folder.path());
    assert_eq!(call(first.session), "C");
    assert_eq!(wa_store_clear(first.session), Status::Ok);
    strictly(
        program(&["Circle"], folder.path()),
        expect![
            "StageFailed: infer of f() failed: strict: infer of f(): nothing is stored for its source"
        ],
    );
    assert_eq!(wa_store_off(first.session), Status::Ok);
    assert_eq!(wa_store_off(first.session), Status::Ok, "off is off");
    assert_eq!(wa_store_clear(first.session), Status::InvalidArgument);
    expect!["the session has no store: see wa_store_on"].assert_eq(&message());
}

#[test]
fn mentions_are_checked() {
    unsafe extern "C" fn infer(
        _: *mut c_void,
        context: Context,
        own: Instance,
        _: *const u8,
        _: usize,
    ) -> Status {
        let (mut found, mut ty, mut number) = (own, Type { id: 0 }, 0);
        let unknown = Type { id: 77 };
        let asked = [
            wa_mentioned_instance(context, own, 0, &raw mut found),
            wa_mention_type(context, unknown, &raw mut number),
            wa_mention_instance(context, own, null_mut()),
            wa_mentioned_in_summary(context, own, 0, &raw mut ty),
        ];
        assert_eq!(asked, [Status::InvalidArgument; 4]);
        wa_give_inferred(context, null(), 0, null(), 0)
    }
    unsafe extern "C" fn codegen(
        _: *mut c_void,
        context: Context,
        own: Instance,
        _: *const u8,
        _: usize,
    ) -> Status {
        let (mut found, mut number) = (own, 0);
        let asked = [
            wa_mentioned_instance(context, own, 1, &raw mut found),
            wa_mention_in_summary(context, Type { id: 0 }, &raw mut number),
        ];
        assert_eq!(asked, [Status::InvalidArgument; 2]);
        wa_give_code(context, null(), 0)
    }
    unsafe extern "C" fn link(
        _: *mut c_void,
        context: Context,
        own: Instance,
        _: *const u8,
        _: usize,
    ) -> Status {
        let mut number = 0;
        wa_mention_instance(context, own, &raw mut number)
    }
    let mut session = Session { id: 0 };
    let stages = Stages {
        user: null_mut(),
        infer: Some(infer),
        codegen: Some(codegen),
        link: Some(link),
        unlink: None,
    };
    assert_eq!(
        wa_session_open(&raw const stages, 1, &raw mut session),
        Status::Ok
    );
    let (mut edit, mut world, base) = (Edit { id: 0 }, 0, Table { id: 0 });
    assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
    let defined = wa_edit_define(edit, base, c"f".as_ptr(), null(), 0, null(), 0);
    assert_eq!(defined, Status::Ok);
    assert_eq!(wa_edit_commit(edit, &raw mut world), Status::Ok);
    expect!["StageFailed: link of f() failed: the stage returned InvalidArgument: wa_mention_instance is for infer and codegen"].assert_eq(&call(session));
}
