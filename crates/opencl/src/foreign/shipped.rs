//! The files of OpenCL C that travel in the binary: those of `kernels/`, with what they include
//! and the launches that they are checked by.

const FILES: &[(&str, &str)] = &[
    ("blur.cl", include_str!("../../../../kernels/blur.cl")),
    ("filter.cl", include_str!("../../../../kernels/filter.cl")),
    ("plane.h", include_str!("../../../../kernels/plane.h")),
];

/// The program, the launch's name, and the launch.
const REFERENCES: &[(&str, &str, &str)] = &[
    (
        "blur.cl",
        "reference/blur.json",
        include_str!("../../../../kernels/reference/blur.json"),
    ),
    (
        "filter.cl",
        "reference/convolve_rows.json",
        include_str!("../../../../kernels/reference/convolve_rows.json"),
    ),
    (
        "filter.cl",
        "reference/transpose.json",
        include_str!("../../../../kernels/reference/transpose.json"),
    ),
];

/// The text of a file.
pub(super) fn file(name: &str) -> Option<&'static str> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// The names of the programs that worldage ships, sorted.
#[must_use]
pub fn programs() -> Vec<&'static str> {
    let names = FILES.iter().map(|(name, _)| *name);
    names.filter(|name| name.ends_with(".cl")).collect()
}

/// Launches of a program that worldage ships, as JSON of the command's form, with what they must
/// give; each with its name.
#[must_use]
pub fn references(program: &str) -> Vec<(&'static str, &'static str)> {
    let own = REFERENCES.iter().filter(|(of, ..)| *of == program);
    own.map(|(_, name, json)| (*name, *json)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folder_is_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels");
        let mut there = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".cl") || name.ends_with(".h") {
                there.push(name);
            }
        }
        there.sort();
        let here: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(here, there);
    }

    #[test]
    fn every_program_has_a_reference() {
        for program in programs() {
            assert!(!references(program).is_empty(), "{program}");
        }
    }
}
