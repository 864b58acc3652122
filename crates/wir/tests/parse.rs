//! The file tests in `ir/parse`, one trial per file. `UPDATE_EXPECT=1` rewrites their `# error` lines.

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use worldage_wir::diag::Sources;
use worldage_wir::syntax::{bless_parse_test, check_parse_test};

fn main() -> std::io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ir/parse");
    let mut trials = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "wir") {
            let name = format!(
                "ir/parse/{}",
                path.file_stem().unwrap_or_default().display()
            );
            trials.push(Trial::test(name, move || run(&path)));
        }
    }
    assert!(!trials.is_empty(), "the file tests were found");
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}

fn run(path: &Path) -> Result<(), Failed> {
    let bytes = std::fs::read(path)?;
    let is_text = std::str::from_utf8(&bytes).is_ok();
    if !bytes.starts_with(b"# test parse") {
        return Err("the file does not begin with `# test parse`".into());
    }
    let mut sources = Sources::new();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = sources.add_bytes(name.as_ref(), bytes);
    if std::env::var_os("UPDATE_EXPECT").is_some() && is_text {
        std::fs::write(path, bless_parse_test(&sources, file))?;
        return Ok(());
    }
    check_parse_test(&sources, file).map_err(Failed::from)
}
