//! Transcripts: forms after `>`, below each what it printed, its value or error, and for what each
//! stage ran. `UPDATE_EXPECT=1` writes them anew.

use expect_test::expect_file;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use worldage_lisp::runtime::Value;
use worldage_lisp::{Image, Outcome};

/// An image, and what it prints.
fn image() -> (Image, Arc<Mutex<String>>) {
    let printed = Arc::new(Mutex::new(String::new()));
    let out = Arc::clone(&printed);
    let image = Image::new(move |line| *out.lock().expect("no panic") += line);
    (image.expect("a machine that code can be made for"), printed)
}

/// What a text does, without the instances of primitives among the stages.
fn answer(image: &Image, printed: &Mutex<String>, text: &str) -> String {
    let mut values = String::new();
    let done = image.run(text, |outcome| match outcome {
        Outcome::Value(value) => values = format!("{value}\n"),
        Outcome::Edit(..) => {}
    });
    let mut shown = std::mem::take(&mut *printed.lock().expect("no panic"));
    shown += &values;
    if let Err(error) = done {
        writeln!(shown, "error: {}", error.message).expect("a string takes all");
    }
    for (stage, names) in &image.take_stages().names {
        let of_program = |name: &&String| name.starts_with(|c: char| c.is_alphabetic());
        let names: Vec<&str> = names
            .iter()
            .filter(of_program)
            .map(String::as_str)
            .collect();
        writeln!(shown, "; {stage:<8} {}", names.join(" ")).expect("a string takes all");
    }
    shown
}

fn check(name: &str, has_stages: bool) {
    let path = format!(
        "{}/tests/transcripts/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let old = std::fs::read_to_string(&path).expect("the transcript");
    let (image, printed) = image();
    let mut new = String::new();
    for line in old.lines().filter(|line| line.starts_with('>')) {
        let shown = answer(&image, &printed, &line[1..]);
        let shown = shown
            .lines()
            .filter(|line| has_stages || !line.starts_with(';'));
        let shown: Vec<&str> = shown.collect();
        writeln!(new, "{}", [&[line], &shown[..]].concat().join("\n")).expect("a string takes all");
    }
    expect_file![path].assert_eq(&new);
}

#[test]
fn a_redefinition_compiles_only_what_depends_on_it() {
    check("redefine", true);
}

#[test]
fn forms_have_values() {
    check("language", false);
}

#[test]
fn all_arguments_choose_the_method() {
    check("dispatch", true);
}

#[test]
fn errors_are_told_and_the_session_goes_on() {
    check("errors", false);
}

/// Ten million frames would take more than the stack of a call.
#[test]
fn tail_calls_take_no_stack() {
    check("tail_calls", false);
}

#[test]
fn the_host_is_called_and_calls() {
    let (image, printed) = image();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let host = image.host("note", &["Int"], move |args| {
        log.lock().expect("no panic").push(args[0].clone());
        Ok(Value::Str("noted".into()))
    });
    host.expect("a type that is there");
    let refuse = |_: &[Value]| Err("only numbers are noted".to_string());
    image
        .host("note", &["Any"], refuse)
        .expect("a type that is there");
    image
        .host("fails", &[], |_| panic!("on purpose"))
        .expect("no types");
    let ask = |text: &str| answer(&image, &printed, text);
    assert!(ask("(define (f x) (note x)) (f 7)").starts_with("\"noted\"\n"));
    assert!(ask("(f \"a\")").starts_with("error: only numbers are noted\n"));
    assert!(ask("(fails)").starts_with("error: a function of the host panicked\n"));
    assert_eq!(*seen.lock().expect("no panic"), [Value::Int(7)]);
    // Redefinition of a function of the host is an edit like any other.
    let again = |args: &[Value]| Ok(args[0].clone());
    image
        .host("note", &["Int"], again)
        .expect("a type that is there");
    assert_eq!(
        ask("(f 8)"),
        "8\n; infer    it() note(Int)\n; codegen  it() note(Int)\n; link     f(Int) it() note(Int)\n"
    );
}

#[test]
fn the_command_runs_a_file_and_answers_forms() {
    use std::process::{Command, Stdio};
    let command = || Command::new(env!("CARGO_BIN_EXE_worldage-lisp"));
    let folder = env!("CARGO_MANIFEST_DIR");
    let run = command()
        .arg(format!("{folder}/programs/shapes.lisp"))
        .output();
    let run = run.expect("the example runs");
    let shown = String::from_utf8_lossy(&run.stdout);
    let expected = "24.0\n(Cons true (Cons true (Cons false (Empty))))\n333833500\n";
    assert_eq!((&*shown, run.status.code()), (expected, Some(0)));

    let missing = command().arg("nowhere.lisp").output().expect("it runs");
    assert_eq!(missing.status.code(), Some(1));
    let mut child = command();
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let forms = "(define (f x)\n  (+ x 1))\n(f 1)\n(f\n\"a\")\n";
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), forms.as_bytes())
        .expect("it reads");
    let shown = child.wait_with_output().expect("it ends").stdout;
    let expected = "; f(Any) in world 3\n2\nerror: no-matching-method: +(Str, Int) in world 5\n";
    assert_eq!(String::from_utf8_lossy(&shown), expected);

    // Input that ends inside of a form is told.
    let mut unfinished = command();
    let mut unfinished = unfinished
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    std::io::Write::write_all(
        &mut unfinished.stdin.take().expect("piped"),
        b"(+ 1 2)\n(+ 1",
    )
    .expect("it reads");
    let ended = unfinished.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "3\n");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(told, "error: the input ends inside of a form\n");
    assert_eq!(ended.status.code(), Some(1));
}
