//! A file of OpenCL C with everything that it includes, as one text.
//!
//! Includes are put into the text before the driver sees it, so that the key of a program names
//! everything that it was made from; `#line` keeps positions those of the files. An include that
//! nothing provides is refused: the driver would look for it where no key does.

use super::shipped;
use crate::error::Error;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest text, bytes: files that include each other twice would grow without bound.
const LONGEST: usize = 16 << 20;

/// A file by the name that includes and positions use: its path from the folder of the main file,
/// with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// A file of these contents.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> File {
        let (name, text) = (name.into(), text.into());
        File { name, text }
    }
}

/// A program: its main file, and the text that the driver is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    files: Vec<File>,
    text: String,
}

impl Sources {
    /// A program from its main file and those that it may include.
    ///
    /// # Errors
    /// [`Error::Include`]: a file that includes itself, or what none of `includes` provides.
    ///
    /// ```
    /// use worldage_opencl::foreign::{File, Sources};
    /// let main = File::new("main.cl", "#include \"two.h\"\nint f() { return TWO; }");
    /// let two = File::new("two.h", "#define TWO 2");
    /// let sources = Sources::new(main, &[two]).unwrap();
    /// let text = "#line 1 \"main.cl\"\n#line 1 \"two.h\"\n#define TWO 2\n\
    ///             #line 2 \"main.cl\"\nint f() { return TWO; }\n";
    /// assert_eq!(sources.text(), text);
    /// ```
    pub fn new(main: File, includes: &[File]) -> Result<Sources, Error> {
        Self::gather(main, |name| {
            let found = includes.iter().find(|file| file.name == name);
            Ok(found.map(|file| file.text.clone()))
        })
    }

    /// A program from a file; what it includes is looked for beside the file that includes it, and
    /// then among the files that worldage ships.
    ///
    /// # Errors
    /// [`Error::Include`]; [`Error::Unreadable`], if a file is not there or is no UTF-8.
    pub fn read(path: &Path) -> Result<Sources, Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let cannot = |path: &Path, error: io::Error| Error::Unreadable {
            path: path.display().to_string(),
            error: error.to_string(),
        };
        let text = read(path).map_err(|error| cannot(path, error))?;
        Self::gather(File::new(name, text), |name| {
            let path = folder.join(name);
            match read(&path) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Ok(shipped::file(name).map(str::to_string))
                }
                Err(error) => Err(cannot(&path, error)),
            }
        })
    }

    /// A program that worldage ships, such as `blur.cl`: it needs no file.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Sources> {
        let main = File::new(name, shipped::file(name)?);
        let sources = Self::gather(main, |name| Ok(shipped::file(name).map(str::to_string)));
        Some(sources.expect("what is shipped includes what is shipped"))
    }

    /// Expands; `find` gives the text of a file by its name.
    fn gather(
        main: File,
        find: impl FnMut(&str) -> Result<Option<String>, Error>,
    ) -> Result<Sources, Error> {
        let mut expansion = Expansion {
            find,
            files: vec![main],
            open: Vec::new(),
            once: Vec::new(),
            out: String::new(),
        };
        expansion.insert(0, None)?;
        Ok(Sources {
            files: expansion.files,
            text: expansion.out,
        })
    }

    /// The same program under another name, as positions and the key show it.
    ///
    /// # Errors
    /// As [`Sources::new`].
    pub fn renamed(&self, name: &str) -> Result<Sources, Error> {
        let main = File::new(name, &*self.files[0].text);
        Self::new(main, &self.files[1..])
    }

    /// What people call the program: the name of its main file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.files[0].name
    }

    /// The main file, and those that it includes in the order of their first use.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The text with everything in its place.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let limit = LONGEST as u64 + 1;
    std::fs::File::open(path)?
        .take(limit)
        .read_to_string(&mut text)?;
    Ok(text)
}

struct Expansion<F> {
    find: F,
    files: Vec<File>,
    /// The files that are being inserted, the innermost last.
    open: Vec<usize>,
    /// Files that say `#pragma once` and were inserted.
    once: Vec<usize>,
    out: String,
}

impl<F: FnMut(&str) -> Result<Option<String>, Error>> Expansion<F> {
    /// Inserts a file, which a line of another one includes.
    fn insert(&mut self, ix: usize, from: Option<(&str, usize)>) -> Result<(), Error> {
        let name = self.files[ix].name.clone();
        if let Some((file, line)) = from.filter(|_| self.open.contains(&ix)) {
            let open: Vec<&str> = self.open.iter().map(|ix| &*self.files[*ix].name).collect();
            let path = open.join("` includes `");
            return Err(wrong(file, line, format!("`{path}` includes `{name}`")));
        }
        self.open.push(ix);
        self.line(1, &name);
        let text = self.files[ix].text.clone();
        for (line, number) in text.lines().zip(1..) {
            match directive(line) {
                Directive::Include(included) => {
                    let included = self.included(&name, number, included)?;
                    if !self.once.contains(&included) {
                        self.insert(included, Some((&name, number)))?;
                    }
                    self.line(number + 1, &name);
                }
                Directive::Once => {
                    self.once.push(ix);
                    self.out.push('\n');
                }
                Directive::Other => {
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
            if self.out.len() > LONGEST {
                let what = format!("the text is longer than {LONGEST} bytes");
                return Err(wrong(&name, number, what));
            }
        }
        self.open.pop();
        Ok(())
    }

    /// The file that a line of another one includes.
    fn included(&mut self, from: &str, line: usize, name: &str) -> Result<usize, Error> {
        let folder = from.rsplit_once('/').map(|(folder, _)| folder);
        let beside = match folder {
            Some(folder) => plain(&format!("{folder}/{name}")),
            None => plain(name),
        };
        if let Some(known) = self.files.iter().position(|file| file.name == beside) {
            return Ok(known);
        }
        let Some(text) = (self.find)(&beside)? else {
            let what = format!("there is no `{name}` to include");
            return Err(wrong(from, line, what));
        };
        self.files.push(File::new(beside, text));
        Ok(self.files.len() - 1)
    }

    fn line(&mut self, number: usize, name: &str) {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(self.out, "#line {number} \"{name}\"");
    }
}

fn wrong(file: &str, line: usize, what: String) -> Error {
    let file = file.to_string();
    Error::Include { file, line, what }
}

/// A relative path without `.` and without `..` after a name.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

enum Directive<'a> {
    /// `#include "name"` or `#include <name>`
    Include(&'a str),
    /// `#pragma once`
    Once,
    Other,
}

fn directive(line: &str) -> Directive<'_> {
    let Some(rest) = line.trim_start().strip_prefix('#') else {
        return Directive::Other;
    };
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("include") {
        let quoted = |open: char, close: char| {
            let (name, _) = rest.trim_start().strip_prefix(open)?.split_once(close)?;
            Some(name)
        };
        let name = quoted('"', '"').or_else(|| quoted('<', '>'));
        return name.map_or(Directive::Other, Directive::Include);
    }
    match rest.split_whitespace().collect::<Vec<_>>()[..] {
        ["pragma", "once"] => Directive::Once,
        _ => Directive::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Result<&str, &str>) {
        let files: Vec<File> = files.iter().map(|(n, t)| File::new(*n, *t)).collect();
        let found = Sources::new(files[0].clone(), &files);
        let found = found
            .map(|sources| sources.text)
            .map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(|error| &**error), expected);
    }

    #[test]
    fn a_file_that_includes_itself_is_an_error() {
        let files = [("a.h", "#include \"b.h\"\n"), ("b.h", "#include <a.h>\n")];
        check(&files, Err("b.h:1: `a.h` includes `b.h` includes `a.h`"));
    }

    #[test]
    fn what_nothing_provides_is_an_error() {
        let files = [("a.cl", "int x;\n#include \"none.h\"\n")];
        check(&files, Err("a.cl:2: there is no `none.h` to include"));
    }

    #[test]
    fn includes_are_beside_the_file_that_includes() {
        let files = [
            ("a.cl", "#include \"lib/b.h\"\n#include \"./c.h\"\n"),
            ("lib/b.h", "#include \"../c.h\"\n"),
            ("c.h", "#pragma once\nint c;\n"),
        ];
        let text = "#line 1 \"a.cl\"\n#line 1 \"lib/b.h\"\n#line 1 \"c.h\"\n\nint c;\n\
                    #line 2 \"lib/b.h\"\n#line 2 \"a.cl\"\n#line 3 \"a.cl\"\n";
        check(&files, Ok(text));
    }

    #[test]
    fn a_text_does_not_grow_without_bound() {
        let mut files = vec![("f0".to_string(), "int x;".repeat(100))];
        for ix in 1..40 {
            let text = format!("#include \"f{}\"\n", ix - 1).repeat(2);
            files.insert(0, (format!("f{ix}"), text));
        }
        let files: Vec<File> = files.into_iter().map(|(n, t)| File::new(n, t)).collect();
        let error = Sources::new(files[0].clone(), &files).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}
