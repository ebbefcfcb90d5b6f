//! Sees when the code of a function changes, so that its processes are started afresh, as they are when code is deployed.
//! Of a folder only files that look like programs count: functions write other files themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The endings of programs' files.
const ENDINGS: [&str; 14] = [
    "class", "cjs", "go", "jar", "js", "jsx", "mjs", "mts", "php", "py", "rb", "sh", "ts", "zip",
];
/// Folders with what others wrote, which changes when it is installed, and seldom.
const OTHERS: [&str; 7] = [
    "__pycache__",
    "build",
    "env",
    "node_modules",
    "site-packages",
    "target",
    "venv",
];
/// How many files are looked at in one folder, and how deep: a folder with more isn't one function's.
const MOST: usize = 2000;
const DEEPEST: usize = 8;

/// Where a function's code is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Code {
    /// The folder that it runs in.
    pub(super) directory: PathBuf,
    /// The program, which needn't be in the folder, nor be a file at all.
    pub(super) program: PathBuf,
}

/// How code stands. It differs once a file was written to, made or removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Print {
    files: usize,
    length: u64,
    newest: Option<SystemTime>,
}

/// How the code of each function stands.
pub(super) fn look(functions: &BTreeMap<String, Code>) -> BTreeMap<String, Print> {
    let mut folders: BTreeMap<&Path, Print> = BTreeMap::new();
    let mut prints = BTreeMap::new();
    for (name, code) in functions {
        let folder = folders
            .entry(&code.directory)
            .or_insert_with(|| of_folder(&code.directory));
        let mut print = folder.clone();
        print.add(&code.program);
        prints.insert(name.clone(), print);
    }
    prints
}

/// The functions whose code stands otherwise than before. One that is new has no code from before.
pub(super) fn changed(before: &BTreeMap<String, Print>, now: &BTreeMap<String, Print>) -> BTreeSet<String> {
    let differs =
        |(name, print): &(&String, &Print)| before.get(*name).is_some_and(|before| before != *print);
    now.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

fn of_folder(folder: &Path) -> Print {
    let (mut print, mut open) = (Print::default(), vec![(folder.to_owned(), 0)]);
    while let Some((folder, depth)) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let hidden = name.as_encoded_bytes().starts_with(b".");
            // A link isn't followed: it may lead round in a circle.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !hidden && depth < DEEPEST && !OTHERS.iter().any(|others| name == *others) {
                open.push((path, depth + 1));
            } else if !is_folder && !hidden && is_program(&path) {
                print.add(&path);
            }
            if print.files >= MOST {
                return print;
            }
        }
    }
    print
}

fn is_program(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

impl Print {
    fn add(&mut self, file: &Path) {
        if let Ok(found) = std::fs::metadata(file)
            && found.is_file()
        {
            self.files += 1;
            self.length += found.len();
            self.newest = self.newest.max(found.modified().ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts_and_a_program_wherever_it_is() {
        let folder = std::env::temp_dir().join(format!("countersign-code-{}", std::process::id()));
        let path = |name: &str| folder.join(name);
        for inner in ["one/inner", "one/node_modules", "two", "bin"] {
            std::fs::create_dir_all(path(inner)).expect("a folder");
        }
        let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("written");
        for name in ["one/a.py", "one/inner/b.js", "two/c.py", "bin/program"] {
            write(name, "1");
        }
        let code = |directory: &str, program: &str| Code {
            directory: path(directory),
            program: PathBuf::from(program),
        };
        let program = path("bin/program").to_string_lossy().into_owned();
        let functions = BTreeMap::from([
            ("one".to_owned(), code("one", "python3")),
            ("two".to_owned(), code("two", &program)),
        ]);
        let mut before = look(&functions);
        let mut expect = |names: &[&str]| {
            let now = look(&functions);
            let found = changed(&before, &now);
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), names);
            before = now;
        };
        for quiet in [
            "one/data.json",
            "one/node_modules/x.js",
            "one/.hidden.py",
            "two/out.txt",
        ] {
            write(quiet, "changed");
        }
        expect(&[]);
        write("one/inner/b.js", "22");
        expect(&["one"]);
        write("bin/program", "22");
        expect(&["two"]);
        std::fs::remove_file(path("two/c.py")).expect("removed");
        write("one/new.mjs", "1");
        expect(&["one", "two"]);
        assert!(changed(&BTreeMap::new(), &look(&functions)).is_empty());
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
