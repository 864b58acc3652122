//! The pages as a reader gets them: each chapter is one, in the summary's order, and each link
//! leads to a page and a place that are there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The pages by their path in the book's folder.
fn pages(folder: &Path) -> BTreeMap<PathBuf, String> {
    let files = walkdir::WalkDir::new(folder).into_iter();
    let files = files.map(|entry| entry.expect("a readable folder").into_path());
    // The page of what is not found may stand anywhere, so it leads to the root of the server.
    let files = files.filter(|path| !path.ends_with("404.html"));
    let pages = files.filter(|path| path.extension().is_some_and(|ending| ending == "html"));
    let page = |path: PathBuf| {
        let html = std::fs::read_to_string(&path).expect("a readable page");
        let name = path.strip_prefix(folder).expect("below the folder");
        (name.to_owned(), html)
    };
    pages.map(page).collect()
}

/// The values of an attribute in a page.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let start = format!(" {attribute}=\"");
    let rest = html.split(&*start).skip(1);
    rest.filter_map(|rest| rest.split('"').next()).collect()
}

/// The chapters of the summary, as paths of pages in order.
fn chapters() -> Vec<PathBuf> {
    let summary = worldage_book::source().join("src/SUMMARY.md");
    let summary = std::fs::read_to_string(summary).expect("the summary");
    let links = summary.lines().filter_map(|line| line.split_once("]("));
    let names = links.filter_map(|(_, rest)| rest.split(')').next());
    names
        .map(|name| Path::new(name).with_extension("html"))
        .collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// What is wrong with the links of a page.
fn broken_links(folder: &Path, pages: &BTreeMap<PathBuf, String>, page: &Path) -> Vec<String> {
    let html = &pages[page];
    let links = values(html, "href").into_iter().chain(values(html, "src"));
    let local = links.filter(|link| !link.contains("://") && !link.starts_with("data:"));
    let is_broken = |link: &&str| {
        let (path, place) = link.split_once('#').unwrap_or((link, ""));
        let target = match path {
            "" => page.to_owned(),
            _ => plain(&page.parent().unwrap_or(Path::new("")).join(path)),
        };
        let is_there = folder.join(&target).is_file();
        let has_place = || {
            pages
                .get(&target)
                .is_some_and(|html| values(html, "id").contains(&place))
        };
        !is_there || !place.is_empty() && !has_place()
    };
    let broken = local.filter(is_broken);
    broken
        .map(|link| format!("{}: {link}", page.display()))
        .collect()
}

#[test]
fn pages_lead_where_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    worldage_book::build(folder.path()).expect("the book can be built");
    let pages = pages(folder.path());
    let chapters = chapters();
    assert!(!chapters.is_empty());
    for (chapter, next) in chapters.iter().zip(chapters.iter().skip(1)) {
        let html = &pages[chapter];
        let next = next.to_str().expect("a name");
        let is_next = html.contains(&format!("rel=\"next prefetch\" href=\"{next}\""));
        assert!(is_next, "{} does not lead on to {next}", chapter.display());
    }
    let broken: Vec<String> = pages
        .keys()
        .flat_map(|page| broken_links(folder.path(), &pages, page))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}
