//! The source files under `src/`, and the modules that each of them uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A source file of the crate, without its unit tests.
pub struct SourceFile {
    /// The path below `src/`, like `store/sql.rs`.
    pub name: String,
    /// The module that the file defines, like `["store", "sql"]`.
    pub module: Vec<String>,
    /// The text without line comments and without `mod tests { … }` at its end.
    pub code: String,
}

impl SourceFile {
    /// All files but the crate's roots, `tests.rs`, what stands below it, and the conformance suites.
    pub fn all() -> Vec<Self> {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&src, &src, &mut files);
        files
    }

    /// The absolute paths that the code names through `crate`, `super` and `self`, in imports and elsewhere.
    /// `crate::store::{sql::SqlStore, state}` names `store`, too.
    pub fn paths(&self) -> BTreeSet<Vec<String>> {
        let parent = &self.module[..self.module.len().saturating_sub(1)];
        let mut paths = BTreeSet::new();
        for (keyword, base) in [("crate::", &[][..]), ("self::", &self.module), ("super::", parent)] {
            for (place, _) in self.code.match_indices(keyword) {
                let before = self.code[..place].chars().next_back();
                if before.is_some_and(|symbol| is_word(symbol) || symbol == ':') {
                    continue;
                }
                let path = &self.code[place + keyword.len()..];
                read_path(path, base.to_vec(), &mut paths);
                let before_group = path.split(|symbol| !is_word(symbol) && symbol != ':').next().unwrap_or_default();
                if !before_group.is_empty() {
                    read_path(before_group.trim_end_matches(':'), base.to_vec(), &mut paths);
                }
            }
        }
        paths
    }

    /// The names that stand before `::` at the beginning of a path: those of child modules among them.
    fn first_names(&self) -> impl Iterator<Item = &str> {
        self.code.match_indices("::").filter_map(|(end, _)| {
            let before = &self.code[..end];
            let start = before.rfind(|symbol| !is_word(symbol)).map_or(0, |place| place + 1);
            (!before[..start].ends_with(':')).then(|| &before[start..])
        })
    }
}

/// The modules that each module uses, by their paths like `store::sql`. A parent uses a child that it names in a path.
pub fn uses(files: &[SourceFile]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = files.iter().map(|file| file.module.join("::")).collect();
    let module_of = |path: &[String]| {
        (1..=path.len()).rev().map(|length| path[..length].join("::")).find(|prefix| modules.contains(prefix))
    };
    let mut uses = BTreeMap::new();
    for file in files {
        let module = file.module.join("::");
        let mut targets: BTreeSet<String> = file.paths().iter().filter_map(|path| module_of(path)).collect();
        let children = file.first_names().map(|name| format!("{module}::{name}"));
        targets.extend(children.filter(|child| modules.contains(child)));
        targets.remove(&module);
        uses.insert(module, targets);
    }
    uses
}

fn collect(directory: &Path, src: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let module = path.strip_prefix(src).unwrap().with_extension("");
        let module: Vec<String> = module.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        if module.iter().any(|name| name == "tests" || name == "conformance") || ["lib", "main"].contains(&&*module[0])
        {
            continue;
        }
        if path.is_dir() {
            collect(&path, src, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            let code = lines.collect::<Vec<_>>().join("\n");
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            files.push(SourceFile { name: path.strip_prefix(src).unwrap().display().to_string(), module, code });
        }
    }
}

/// Reads a path like `store::{sql::SqlStore as Sql, state::*}` and adds each path that it stands for below `path`.
/// Returns the text after it.
fn read_path<'a>(text: &'a str, mut path: Vec<String>, found: &mut BTreeSet<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            return read_group(group, &path, found);
        }
        let end = rest.find(|symbol| !is_word(symbol)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        match name {
            "super" => drop(path.pop()),
            "" | "self" => {}
            name => path.push(name.to_owned()),
        }
        let Some(next) = after.strip_prefix("::") else {
            found.insert(path);
            return after;
        };
        rest = next;
    }
}

/// Reads the branches of a group to its closing brace, and returns the text after that.
fn read_group<'a>(mut rest: &'a str, path: &[String], found: &mut BTreeSet<Vec<String>>) -> &'a str {
    loop {
        if let Some(after) = rest.trim_start().strip_prefix('}') {
            return after;
        }
        rest = read_path(rest, path.to_vec(), found);
        // What may follow a branch: an alias, an asterisk, a comma.
        let Some(end) = rest.find([',', '}']) else { return "" };
        rest = rest[end..].strip_prefix(',').unwrap_or(&rest[end..]);
    }
}

fn is_word(symbol: char) -> bool {
    symbol.is_alphanumeric() || symbol == '_'
}

#[test]
fn imports_and_inline_paths_are_read() {
    let code = "use crate::{domain::{id::AppId as Id, key}, ports::*};\nuse crate::http::{pages, routes::Route};\n\
                use super::{sibling, text};\nuse super::super::uncle::Type;\n\
                use self::child::Type;\nlet value = crate::config::read::<u8>(super::text());\nother::crate::no();";
    let module = vec!["store".to_owned(), "sql".to_owned()];
    let file = SourceFile { name: String::new(), module, code: code.to_owned() };
    let paths: Vec<_> = file.paths().into_iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "config::read",
            "domain::id::AppId",
            "domain::key",
            "http",
            "http::pages",
            "http::routes::Route",
            "ports",
            "store::sibling",
            "store::sql::child::Type",
            "store::text",
            "uncle::Type",
        ]
    );
    assert!(file.first_names().any(|name| name == "other"));
}
