//! What the example shows, and that it stays as small as it says.

use std::process::Command;

#[test]
fn a_redefinition_links_the_caller_again() {
    let output = Command::new(env!("CARGO_BIN_EXE_worldage-minimal")).output();
    let output = output.expect("the example runs");
    assert!(output.status.success());
    let expected = "top() = 16
infer    leaf() top()
codegen  leaf() top()
link     leaf() top()

top() = 42
infer    leaf()
codegen  leaf()
link     leaf() top()

";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_complete_compiler_takes_sixty_lines() {
    assert!(include_str!("../src/main.rs").lines().count() <= 60);
}
