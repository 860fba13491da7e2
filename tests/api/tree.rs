//! The source tree: the table of imports in `shared/src/lib.rs`, and no circle of imports between files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{
    ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

use crate::support::root;

/// A path in the code, as segments: `["crate", "store", "Key"]`.
type Segments = Vec<String>;

/// The paths that a file names, `use` declarations flattened, with the inline modules they stand in.
#[derive(Default)]
struct Named {
    inline: Segments,
    paths: Vec<(Segments, Segments)>,
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.inline.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.inline.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.flatten(&item.tree, Vec::new());
    }

    // `pub(crate)` and `pub(super)` import nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Segments = segments.map(|segment| segment.ident.to_string()).collect();
        // A single name is a local one, or was imported by a `use`.
        if segments.len() > 1 {
            self.paths.push((self.inline.clone(), segments));
        }
        visit::visit_path(self, path);
    }
}

impl Named {
    fn flatten(&mut self, tree: &UseTree, mut prefix: Segments) {
        let name = match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                return self.flatten(&path.tree, prefix);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.flatten(tree, prefix.clone());
                }
                return;
            }
            UseTree::Name(name) => name.ident.to_string(),
            UseTree::Rename(rename) => rename.ident.to_string(),
            UseTree::Glob(_) => "*".to_owned(),
        };
        if name != "self" {
            prefix.push(name);
        }
        self.paths.push((self.inline.clone(), prefix));
    }
}

/// The files of a crate by their module path: `[]` the root, `["store", "slots"]`.
struct Crate {
    files: BTreeMap<Segments, PathBuf>,
}

impl Crate {
    fn read(crate_root: &Path) -> Self {
        let mut files = BTreeMap::from([(Vec::new(), crate_root.to_owned())]);
        let directory = crate_root.parent().unwrap();
        add_modules(directory, directory, &mut files);
        files.retain(|module, file| module.is_empty() || file != crate_root);
        Self { files }
    }

    /// The file of a module, given where its name is used.
    fn file_of(&self, from: &[String], inline: &[String], path: &[String]) -> Option<Segments> {
        let mut at: Segments = from.iter().chain(inline).cloned().collect();
        let mut path = path.iter().peekable();
        match path.peek().map(|first| first.as_str()) {
            Some("crate") => {
                at.clear();
                path.next();
            }
            Some("self") => {
                path.next();
            }
            Some("super") => {}
            // A name that is declared or imported here: followed where it names a child module.
            _ if inline.is_empty() => {}
            _ => return None,
        }
        let is_absolute = at.is_empty();
        while path.next_if(|segment| *segment == "super").is_some() {
            at.pop();
        }
        let base = at.len();
        for segment in path {
            at.push(segment.clone());
        }
        // The longest prefix that is a file holds the item.
        while at.len() > base && !self.files.contains_key(&at) {
            at.pop();
        }
        (is_absolute || at.len() > base || self.files.contains_key(&at)).then_some(at)
    }

    /// Which file imports which, as module paths.
    fn imports(&self) -> BTreeMap<Segments, BTreeSet<Segments>> {
        let mut imports = BTreeMap::new();
        for (module, file) in &self.files {
            let code = syn::parse_file(&std::fs::read_to_string(file).unwrap()).unwrap();
            let mut named = Named::default();
            named.visit_file(&code);
            let targets = named.paths.iter();
            let targets = targets.filter_map(|(inline, path)| self.file_of(module, inline, path));
            let mut targets: BTreeSet<Segments> = targets.collect();
            targets.remove(module);
            imports.insert(module.clone(), targets);
        }
        imports
    }
}

fn add_modules(root: &Path, directory: &Path, files: &mut BTreeMap<Segments, PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_modules(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Segments = relative
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            files.insert(module, path);
        }
    }
}

/// A circle, if there is one.
fn circle(imports: &BTreeMap<Segments, BTreeSet<Segments>>) -> Option<Vec<String>> {
    let mut open: BTreeMap<_, _> = imports.clone();
    // What imports nothing that is left is in no circle.
    loop {
        let done: Vec<Segments> = open
            .iter()
            .filter(|(_, targets)| targets.iter().all(|target| !open.contains_key(target)))
            .map(|(module, _)| module.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        done.iter().for_each(|module| drop(open.remove(module)));
    }
    let mut at = open.keys().next()?;
    let mut walked: Vec<&Segments> = Vec::new();
    while !walked.contains(&at) {
        walked.push(at);
        at = open[at].iter().find(|target| open.contains_key(*target))?;
    }
    let start = walked.iter().position(|module| *module == at)?;
    let names = walked[start..].iter().chain([&at]);
    Some(names.map(|module| module.join("::")).collect())
}

/// The roots of all crates: libraries, binaries and test programs.
fn crate_roots() -> Vec<PathBuf> {
    let functions = std::fs::read_dir(root().join("functions")).unwrap();
    let functions = functions.map(|entry| entry.unwrap().path().join("src/lib.rs"));
    let mut roots: Vec<PathBuf> = functions.filter(|root| root.is_file()).collect();
    let others = [
        "shared/src/lib.rs",
        "tests/api/main.rs",
        "tests/attacks/main.rs",
        "tests/bench/src/lib.rs",
        "tests/local/src/lib.rs",
    ];
    roots.extend(others.map(|path| root().join(path)));
    roots
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    for crate_root in crate_roots() {
        let imports = Crate::read(&crate_root).imports();
        assert_eq!(circle(&imports), None, "{}", crate_root.display());
    }
}

#[test]
fn each_wing_imports_the_wings_of_its_row_and_those_stand_above_it() {
    let lib = root().join("shared/src/lib.rs");
    let text = std::fs::read_to_string(&lib).unwrap();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(|cell| cell.trim()).collect();
            let imports = cells[2]
                .split_whitespace()
                .map(|name| name.trim_matches('`'));
            (cells[0].trim_matches('`'), imports.collect::<BTreeSet<_>>())
        });
    let rows: Vec<_> = rows.collect();
    let mut above = BTreeSet::new();
    for (wing, imports) in &rows {
        assert!(imports.is_subset(&above), "{wing} imports a wing below it");
        above.insert(*wing);
    }
    let imports = Crate::read(&lib).imports();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, targets) in imports.iter().filter(|(module, _)| !module.is_empty()) {
        let of_wing = found.entry(&module[0]).or_default();
        let wings = targets.iter().filter_map(|target| target.first());
        of_wing.extend(wings.map(String::as_str).filter(|wing| *wing != module[0]));
    }
    assert_eq!(found, rows.into_iter().collect());
}

#[test]
fn each_file_of_the_core_imports_from_lines_above_its_own() {
    let shared = root().join("shared/src");
    let text = std::fs::read_to_string(shared.join("domain/mod.rs")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("//! "));
    let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let lines: Vec<Vec<&str>> = lines
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    let line_of = |file: &String| lines.iter().position(|line| line.contains(&file.as_str()));
    for (module, targets) in Crate::read(&shared.join("lib.rs")).imports() {
        let [wing, file] = module.as_slice() else {
            continue;
        };
        if wing != "domain" {
            continue;
        }
        assert!(line_of(file).is_some(), "{file} is in no line");
        for target in targets.iter().filter_map(|target| target.get(1)) {
            assert!(line_of(target) < line_of(file), "{file} imports {target}");
        }
    }
}

#[test]
fn a_circle_is_found() {
    let import =
        |from: &str, to: &str| (vec![from.to_owned()], BTreeSet::from([vec![to.to_owned()]]));
    let imports = BTreeMap::from([import("a", "b"), import("b", "c"), import("c", "b")]);
    assert_eq!(
        circle(&imports),
        Some(vec!["b".into(), "c".into(), "b".into()])
    );
    let imports = BTreeMap::from([import("a", "b"), import("b", "c")]);
    assert_eq!(circle(&imports), None);
}

#[test]
fn the_tests_that_the_security_document_names_exist() {
    let text = std::fs::read_to_string(root().join("shared/SECURITY.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.contains('_')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let mut sources = String::new();
    let mut directories = vec![root().join("tests/api"), root().join("shared/src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let named: Vec<&str> = quoted.filter(is_test).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
    }
}
