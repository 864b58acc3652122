//! Mistakes of C: null, things of another session, things that were released, stages that do what
//! they may not. Each is a status with a message, and the session goes on.
#![expect(unsafe_code, reason = "the stages are C functions")]

use expect_test::{Expect, expect};
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};
use worldage_capi::compiler::Stages;
use worldage_capi::edit::*;
use worldage_capi::handle::*;
use worldage_capi::history::*;
use worldage_capi::names::{
    Context, Edit, Handle, HeldWorld, Instance, Session, Shard, Table, Type, View,
};
use worldage_capi::question::*;
use worldage_capi::session::*;
use worldage_capi::stage::*;
use worldage_capi::status::{Status, wa_last_error};

fn message() -> String {
    // SAFETY: it is a string that lives until the next mistake of this thread.
    let text = unsafe { CStr::from_ptr(wa_last_error()) };
    text.to_str().expect("messages are UTF-8").to_string()
}

#[track_caller]
fn check(status: Status, expected: Expect) {
    expected.assert_eq(&format!("{status:?}: {}", message()));
}

/// What a source makes the stages do, beside giving themselves on.
unsafe extern "C" fn infer(
    user: *mut c_void,
    context: Context,
    instance: Instance,
    input: *const u8,
    length: usize,
) -> Status {
    // SAFETY: the library gives the source so.
    let source = unsafe { std::slice::from_raw_parts(input, length) };
    let mut data = null();
    let (mut count, mut found) = (0, Instance { id: 0 });
    match source {
        b"nothing" => Status::Ok,
        b"refuse" => Status::Refused,
        b"fail" => wa_fail(context, c"this is wrong".as_ptr()),
        b"not for infer" => wa_calls(context, instance),
        b"unknown instance" => {
            let unknown = Instance {
                id: instance.id + 1000,
            };
            wa_summary(context, unknown, &raw mut data, &raw mut count)
        }
        b"session" => {
            // SAFETY: the tests give a pointer to their session.
            let session = unsafe { *user.cast::<Session>() };
            let mut edit = Edit { id: 0 };
            let mut world = 0;
            assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
            wa_edit_commit(edit, &raw mut world)
        }
        b"itself" => {
            let status = wa_lookup(context, c"f".as_ptr(), null(), 0, &raw mut found);
            assert_eq!(status, Status::Ok);
            let status = wa_summary(context, found, &raw mut data, &raw mut count);
            assert_eq!(status, Status::Ok);
            wa_give_inferred(context, input, length, input, length)
        }
        _ => wa_give_inferred(context, input, length, input, length),
    }
}

unsafe extern "C" fn codegen(
    _: *mut c_void,
    context: Context,
    _: Instance,
    input: *const u8,
    length: usize,
) -> Status {
    wa_give_code(context, input, length)
}

unsafe extern "C" fn link(
    _: *mut c_void,
    context: Context,
    instance: Instance,
    input: *const u8,
    length: usize,
) -> Status {
    let mut cell = null();
    // SAFETY: the library gives the code so.
    match unsafe { std::slice::from_raw_parts(input, length) } {
        b"undeclared" => wa_cell(context, instance, &raw mut cell),
        _ => wa_give_entry(context, input.cast(), null_mut()),
    }
}

fn stages(user: *mut Session) -> Stages {
    Stages {
        user: user.cast(),
        infer: Some(infer),
        codegen: Some(codegen),
        link: Some(link),
        unlink: None,
    }
}

fn open() -> Session {
    let place = Box::into_raw(Box::new(Session { id: 0 }));
    let stages = stages(place);
    assert_eq!(wa_session_open(&raw const stages, 1, place), Status::Ok);
    // SAFETY: it was written just now. It is leaked: stages read it.
    unsafe { *place }
}

fn define(session: Session, source: &str) -> u64 {
    let (mut edit, mut world) = (Edit { id: 0 }, 0);
    let base = Table { id: 0 };
    assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
    let (name, source) = (c"f".as_ptr(), source.as_bytes());
    let defined = wa_edit_define(edit, base, name, null(), 0, source.as_ptr(), source.len());
    assert_eq!(defined, Status::Ok);
    assert_eq!(wa_edit_commit(edit, &raw mut world), Status::Ok);
    world
}

fn handle(session: Session, world: u64) -> Handle {
    let (view, mut shard) = (View { id: 0 }, Shard { id: 0 });
    let (mut instance, mut handle) = (Instance { id: 0 }, Handle { id: 0 });
    let name = c"default".as_ptr();
    assert_eq!(wa_shard(session, name, view, &raw mut shard), Status::Ok);
    let found = wa_find(session, view, c"f".as_ptr(), null(), 0, &raw mut instance);
    assert_eq!(found, Status::Ok);
    let made = wa_handle_new(session, instance, shard, world, &raw mut handle);
    assert_eq!(made, Status::Ok);
    handle
}

/// What calling a function of this source comes to.
fn call(source: &str) -> (Status, Session) {
    let session = open();
    define(session, source);
    let mut entry = null();
    (wa_handle_entry(handle(session, 0), &raw mut entry), session)
}

#[test]
fn a_stage_that_misbehaves_is_its_error() {
    check(
        call("nothing").0,
        expect![
            "StageFailed: infer of f() failed: infer returned without a result: see the `wa_give_` functions"
        ],
    );
    check(
        call("refuse").0,
        expect!["StageFailed: infer of f() failed: the stage returned Refused"],
    );
    check(
        call("fail").0,
        expect!["StageFailed: infer of f() failed: this is wrong"],
    );
    check(
        call("not for infer").0,
        expect![
            "StageFailed: infer of f() failed: the stage returned InvalidArgument: wa_calls is for codegen"
        ],
    );
    check(
        call("unknown instance").0,
        expect![
            "StageFailed: infer of f() failed: the stage returned InvalidArgument: instance 1000 does not exist"
        ],
    );
    check(
        call("session").0,
        expect![
            "StageFailed: infer of f() failed: the stage returned DuringStage: edit-during-stage: a stage may not edit the session that runs it"
        ],
    );
    check(
        call("undeclared").0,
        expect![
            "StageFailed: link of f() failed: the stage returned InvalidArgument: codegen did not say `wa_calls` of it"
        ],
    );
    assert_eq!(call("itself").0, Status::Ok);
    let (status, session) = call("nothing");
    assert_eq!(status, Status::StageFailed);
    define(session, "good");
    let mut entry = null();
    assert_eq!(
        wa_handle_entry(handle(session, 0), &raw mut entry),
        Status::Ok
    );
}

#[test]
fn null_is_an_error() {
    let session = open();
    let world = define(session, "good");
    check(
        wa_session_open(null(), 1, null_mut()),
        expect!["InvalidArgument: stages is null and its length is not 0"],
    );
    let without = Stages {
        codegen: None,
        ..stages(null_mut())
    };
    let mut other = Session { id: 0 };
    check(
        wa_session_open(&raw const without, 1, &raw mut other),
        expect!["InvalidArgument: the function of stage codegen is null"],
    );
    check(
        wa_world(session, null_mut()),
        expect!["InvalidArgument: the place for the result is null"],
    );
    check(
        wa_table_new(session, null(), null_mut()),
        expect!["InvalidArgument: name is null"],
    );
    check(
        wa_table_new(session, c"\xff".as_ptr(), null_mut()),
        expect!["InvalidArgument: name is not UTF-8"],
    );
    check(
        wa_take_log(session, None, null_mut()),
        expect!["InvalidArgument: the function to tell is null"],
    );
    check(
        wa_handle_entry(handle(session, world), null_mut()),
        expect!["InvalidArgument: the place for the result is null"],
    );
    let view = View { id: 0 };
    check(
        wa_find(session, view, c"f".as_ptr(), null(), 3, null_mut()),
        expect!["InvalidArgument: args is null and its length is not 0"],
    );
}

#[test]
fn things_of_another_session_are_refused() {
    let (one, two) = (open(), open());
    let (mut any, mut ty) = (Type { id: 0 }, Type { id: 0 });
    assert_eq!(wa_type_any(one, &raw mut any), Status::Ok);
    let name = c"T".as_ptr();
    let status = wa_type_declare(two, name, any, false, &raw mut ty);
    assert_eq!(status, Status::InvalidArgument);
    assert!(message().contains("is of session"), "{}", message());
    assert_eq!(
        wa_type_declare(one, name, any, false, &raw mut ty),
        Status::Ok
    );
    // Nothing stands under a concrete type.
    check(
        wa_type_declare(one, name, ty, false, &raw mut any),
        expect!["InvalidArgument: `T` cannot stand under the concrete type `T`: make `T` abstract"],
    );
    let beyond = Type { id: ty.id + 1 };
    check(
        wa_type_declare(one, name, beyond, false, &raw mut ty),
        expect!["InvalidArgument: type 2 does not exist"],
    );
}

#[test]
fn what_was_released_is_gone() {
    let session = open();
    let world = define(session, "good");
    let handle = handle(session, 0);
    let (mut edit, mut entry, mut held) = (Edit { id: 0 }, null(), HeldWorld { id: 0 });
    assert_eq!(wa_world_hold(session, world, &raw mut held), Status::Ok);
    assert_eq!(
        wa_world_hold(session, 99, &raw mut held),
        Status::NoSuchWorld
    );
    assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
    assert_eq!(wa_edit_release(edit), Status::Ok);
    assert_eq!(wa_edit_release(edit), Status::InvalidArgument);
    // A number of another kind of thing is none of this kind.
    assert_eq!(
        wa_edit_release(Edit { id: handle.id }),
        Status::InvalidArgument
    );
    assert_eq!(wa_world_release(held), Status::Ok);
    assert_eq!(wa_world_release(held), Status::InvalidArgument);
    assert_eq!(wa_session_close(session), Status::Ok);
    assert_eq!(wa_session_close(session), Status::InvalidArgument);
    // The handle keeps what it needs.
    assert_eq!(wa_handle_entry(handle, &raw mut entry), Status::Ok);
    assert_eq!(wa_handle_release(handle), Status::Ok);
    assert_eq!(
        wa_handle_entry(handle, &raw mut entry),
        Status::InvalidArgument
    );
}

#[test]
fn a_refused_edit_changes_nothing() {
    let session = open();
    define(session, "good");
    let (mut edit, mut world) = (Edit { id: 0 }, 0);
    let base = Table { id: 0 };
    assert_eq!(wa_edit_new(session, &raw mut edit), Status::Ok);
    let status = wa_edit_delete(edit, base, c"g".as_ptr(), null(), 0);
    assert_eq!(status, Status::Ok);
    check(
        wa_edit_commit(edit, &raw mut world),
        expect![
            "Refused: no-such-method: g() in base in world 1: define it first, or name its table"
        ],
    );
    assert_eq!((wa_world(session, &raw mut world), world), (Status::Ok, 1));
}

#[test]
fn a_context_outside_of_its_stage_is_refused() {
    let (mut data, mut length) = (null(), 0);
    for id in [0, 1, 12345] {
        let status = wa_shard_name(Context { id }, &raw mut data, &raw mut length);
        assert_eq!(status, Status::InvalidArgument);
        assert!(message().contains("its stage has ended"), "{}", message());
    }
}
