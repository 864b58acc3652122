//! Every public item of the façade has an example, or says that it is as another one.

use super::Violation;

/// Where the façade is.
const FACADE: &str = "crates/worldage/src/";

/// What begins an item that users name.
const ITEMS: [&str; 6] = [
    "pub fn ",
    "pub struct ",
    "pub enum ",
    "pub trait ",
    "pub const ",
    "pub type ",
];

/// Items that only the shards of sessions name; users see them through their methods.
const WITHOUT: [&str; 4] = ["Backends", "ShardCode", "ShardLinked", "BareGenerator"];

/// The public items of a file of the façade without an example.
pub(super) fn check(path: &str, text: &str) -> Vec<Violation> {
    if !path.starts_with(FACADE) {
        return Vec::new();
    }
    let (mut violations, mut is_shown, mut is_first) = (Vec::new(), false, true);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(doc) = line.strip_prefix("///") {
            is_shown |= doc.starts_with(" ```") || is_first && doc.starts_with(" As [");
            is_first = false;
            continue;
        }
        if line.starts_with("#[") || line.starts_with("#!") {
            continue;
        }
        let item = ITEMS.iter().find_map(|item| line.strip_prefix(item));
        let name = item.and_then(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        });
        if let Some(name) = name.filter(|name| !is_shown && !WITHOUT.contains(name)) {
            violations.push(Violation::new(
                format!("{path}:{number}"),
                format!("`{name}` has no example: show in its documentation how it is used"),
            ));
        }
        (is_shown, is_first) = (false, true);
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::check;

    fn found(text: &str) -> Vec<String> {
        let violations = check("crates/worldage/src/lib.rs", text);
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_item_needs_an_example() {
        let bare = "/// Says it.\npub fn say() {}";
        assert_eq!(found(bare).len(), 1);
        assert!(found(bare)[0].starts_with("crates/worldage/src/lib.rs:2: `say` has no example"));
        assert!(
            found("/// Says it.\n///\n/// ```\n/// say();\n/// ```\n#[must_use]\npub fn say() {}")
                .is_empty()
        );
        assert!(found("/// As [`say`].\npub fn tell() {}").is_empty());
        assert!(found("pub(crate) fn say() {}").is_empty());
    }
}
