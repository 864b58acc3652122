//! The committed header is what the sources say. `UPDATE_EXPECT=1` writes it anew.

use expect_test::expect_file;
use std::path::Path;

#[test]
fn the_header_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("a config");
    let files = [
        "names", "status", "compiler", "stage", "question", "mention", "session", "edit", "handle",
        "history", "store",
    ];
    let builder = files
        .iter()
        .fold(cbindgen::Builder::new(), |builder, file| {
            builder.with_src(folder.join(format!("src/{file}.rs")))
        });
    let mut header = Vec::new();
    let bindings = builder.with_config(config).generate().expect("bindings");
    bindings.write(&mut header);
    let header = String::from_utf8(header).expect("text");
    expect_file![folder.join("include/worldage.h")].assert_eq(&header);
}
