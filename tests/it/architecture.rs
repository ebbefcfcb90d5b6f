//! Reads the sources and holds them to docs/ARCHITECTURE.md: imports point one way, the service
//! doesn't name the embedded AWS, files stay small and say what they are for, and the documents
//! mention no file that isn't there.
//!
//! The sources are read as tokens, not as syntax: so paths inside macros count as well, and words
//! in comments and strings don't.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// The order of the top-level modules. A module may name those of later rows, and itself.
const ORDER: &[&[&str]] = &[
    &["main", "lib"],
    &["cli"],
    &["lambda"],
    &["app", "samples"],
    &["config"],
    &["web", "intake", "worker"],
    &["flow"],
    &["store", "mail", "step_functions", "queues", "state_data", "lint"],
    &["domain"],
];

/// Who may name the configuration. All others are given what they need from it.
const CONFIG_READERS: &[&str] = &["main", "lib", "cli", "app"];

/// Who may put the embedded AWS and its interpreter to work, each library with its own.
const EMBEDDED: &[(&str, &[&str])] = &[
    ("aws_local", &["main", "cli", "samples"]),
    ("asl", &["main", "cli", "lint"]),
];

/// A file longer than this has two subjects.
const LONGEST_FILE: usize = 450;

/// Tests are lists: they may be longer.
const LONGEST_TESTS: usize = 900;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with the extension below `folder`, as paths from the repository's root, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(
                    path.strip_prefix(root())
                        .expect("it lies below the root")
                        .to_owned(),
                );
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).expect("the file can be read")
}

/// The module path of a source file below `src/`: `src/flow/open.rs` is `flow`, `open`.
fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .components()
        .skip(1)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&module))
}

/// Says why the top-level module `from` may not name `to`, or nothing when it may.
fn objection(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    let Some(from_rank) = rank(from) else {
        return Some(format!("`{from}` has no place in the order of modules"));
    };
    let Some(to_rank) = rank(to) else {
        return Some(format!("`crate::{to}` is no module with a place in the order"));
    };
    if to == "config" && !CONFIG_READERS.contains(&from) {
        return Some(format!(
            "`{from}` reads `config`; let `app` give it what it needs"
        ));
    }
    (to_rank <= from_rank).then(|| format!("`{from}` may not name `{to}`"))
}

/// What a file names of its own crate and of the embedded AWS, with the lines.
#[derive(Default)]
struct Names {
    /// Top-level modules of the crate, by `crate::`, `super::` or the crate's own name.
    modules: Vec<(String, usize)>,
    /// The libraries of `EMBEDDED`.
    embedded: Vec<(String, usize)>,
}

fn line(ident: &Ident) -> usize {
    ident.span().start().line
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    matches!(
        (tokens.get(at), tokens.get(at + 1)),
        (Some(TokenTree::Punct(first)), Some(TokenTree::Punct(second)))
            if first.as_char() == ':' && second.as_char() == ':'
    )
}

/// The first name of each path that a use tree (`a::b`, `{a, b::c}`, `*`) starts with.
fn first_names(tokens: &[TokenTree], at: usize, found: &mut Vec<(String, usize)>) {
    match tokens.get(at) {
        Some(TokenTree::Ident(name)) => found.push((name.to_string(), line(name))),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let mut start = 0;
            while start < inner.len() {
                first_names(&inner, start, found);
                // On to behind the next comma; those inside groups are not seen here.
                while start < inner.len()
                    && !matches!(&inner[start], TokenTree::Punct(mark) if mark.as_char() == ',')
                {
                    start += 1;
                }
                start += 1;
            }
        }
        Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
            found.push(("*".to_owned(), star.span().start().line));
        }
        _ => {}
    }
}

/// Walks through tokens that stand `depth` modules below the crate's root.
fn collect(tokens: TokenStream, depth: usize, names: &mut Names) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                // The body of `mod tests { … }` is one module deeper.
                let is_module = at >= 2
                    && matches!(&tokens[at - 2], TokenTree::Ident(word) if word == "mod")
                    && matches!(&tokens[at - 1], TokenTree::Ident(_))
                    && group.delimiter() == Delimiter::Brace;
                collect(group.stream(), depth + usize::from(is_module), names);
            }
            TokenTree::Ident(word) => {
                let word_text = word.to_string();
                let starts_path = !(at >= 2 && is_path_separator(&tokens, at - 2));
                if starts_path && EMBEDDED.iter().any(|(library, _)| *library == word_text) {
                    let imported = at >= 1
                        && matches!(&tokens[at - 1], TokenTree::Ident(before) if before == "use" || before == "crate");
                    if is_path_separator(&tokens, at + 1) || imported {
                        names.embedded.push((word_text.clone(), line(word)));
                    }
                }
                if starts_path && is_path_separator(&tokens, at + 1) {
                    match word_text.as_str() {
                        "crate" | "countersign" => {
                            first_names(&tokens, at + 3, &mut names.modules);
                        }
                        "super" => {
                            let mut ups = 1;
                            let mut next = at + 3;
                            while matches!(tokens.get(next), Some(TokenTree::Ident(word)) if word == "super")
                            {
                                ups += 1;
                                next += 3;
                            }
                            if ups >= depth {
                                first_names(&tokens, next, &mut names.modules);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// All objections to one source file below `src/`, each as `file:line: why`.
fn objections(file: &Path, source: &str) -> Vec<String> {
    let path = module_path(file);
    let from = path[0].as_str();
    let stands_at_root = matches!(from, "main" | "lib") && path.len() == 1;
    let tokens: TokenStream = match source.parse() {
        Ok(tokens) => tokens,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    let mut names = Names::default();
    collect(tokens, if stands_at_root { 0 } else { path.len() }, &mut names);
    let mut all = Vec::new();
    if rank(from).is_none() {
        all.push(format!(
            "{}: `{from}` has no place in the order of modules",
            file.display()
        ));
    } else {
        for (to, line) in &names.modules {
            if let Some(why) = objection(from, to) {
                all.push(format!("{}:{line}: {why}", file.display()));
            }
        }
    }
    for (library, line) in &names.embedded {
        let allowed = EMBEDDED
            .iter()
            .find(|(name, _)| name == library)
            .map_or(&[][..], |(_, who)| who);
        if !allowed.contains(&from) {
            all.push(format!(
                "{}:{line}: only {} may name `{library}`",
                file.display(),
                allowed.join(", ")
            ));
        }
    }
    all
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn imports_point_one_way() {
    let files = files("src", "rs");
    assert!(!files.is_empty(), "no sources found");
    // A file of tests may build whatever it tests with; nothing imports it.
    let faults: Vec<String> = files
        .iter()
        .filter(|file| !is_tests(file))
        .flat_map(|file| objections(file, &read(file)))
        .collect();
    assert_none(&faults);
}

#[test]
fn the_libraries_do_not_know_the_service() {
    let mut faults = Vec::new();
    for library in ["crates/asl", "crates/aws-local"] {
        let mut all = files(library, "rs");
        all.push(Path::new(library).join("Cargo.toml"));
        for file in all {
            for (number, line) in read(&file).lines().enumerate() {
                if line.to_lowercase().contains("countersign") {
                    faults.push(format!("{}:{}: {line}", file.display(), number + 1));
                }
            }
        }
    }
    assert_none(&faults);
}

fn is_tests(file: &Path) -> bool {
    let of_tests = |name: &str| name == "tests" || name.ends_with("_tests");
    file.with_extension("")
        .iter()
        .filter_map(|part| part.to_str())
        .any(of_tests)
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for folder in ["src", "crates/asl/src", "crates/aws-local/src"] {
        for file in files(folder, "rs") {
            let text = read(&file);
            let lines = text.lines().count();
            let longest = if is_tests(&file) {
                LONGEST_TESTS
            } else {
                LONGEST_FILE
            };
            if lines > longest {
                faults.push(format!(
                    "{}: {lines} lines; which two subjects does it have?",
                    file.display()
                ));
            }
            let opening = text.lines().next().unwrap_or_default();
            if opening
                .strip_prefix("//!")
                .is_none_or(|words| words.trim().is_empty())
            {
                faults.push(format!(
                    "{}: does not open with `//!` and what it is for",
                    file.display()
                ));
            }
        }
    }
    assert_none(&faults);
}

/// The paths that a document names in backticks: what contains a slash and no blank, placeholder
/// or scheme, and starts with a folder of this repository.
fn named_paths(document: &str) -> Vec<&str> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| {
            code.contains('/')
                && !code.contains(|mark: char| mark.is_whitespace() || "<>{}*…:$".contains(mark))
                && [
                    "src/",
                    "crates/",
                    "tests/",
                    "templates/",
                    "infra/",
                    "docs/",
                    "benches/",
                    ".ci/",
                ]
                .iter()
                .any(|folder| code.starts_with(folder))
        })
        .collect()
}

#[test]
fn documents_name_only_files_that_exist() {
    let mut documents = files("docs", "md");
    documents.push("README.md".into());
    let mut faults = Vec::new();
    let mut seen = 0;
    for document in documents {
        for path in named_paths(&read(&document)) {
            seen += 1;
            if !root().join(path).exists() {
                faults.push(format!("{}: `{path}` isn't there", document.display()));
            }
        }
    }
    assert_none(&faults);
    assert!(
        seen >= 40,
        "only {seen} paths found: are they still in backticks?"
    );
}

/// What the checker says about a planted file.
fn verdict(file: &str, source: &str) -> String {
    objections(Path::new(file), source)
        .iter()
        .fold(String::new(), |mut all, line| {
            writeln!(all, "{line}").expect("a string takes it");
            all
        })
}

#[test]
fn wrong_imports_are_found_however_they_are_written() {
    for (file, source, expected) in [
        (
            "src/domain/link.rs",
            "use crate::store::Table;",
            "src/domain/link.rs:1: `domain` may not name `store`",
        ),
        (
            "src/domain/link.rs",
            "\nuse crate::{domain::ids, flow::{open, decide}};",
            "src/domain/link.rs:2: `domain` may not name `flow`",
        ),
        (
            "src/domain/link.rs",
            "use super::super::web;",
            "`domain` may not name `web`",
        ),
        (
            "src/domain/mod.rs",
            "use super::web;",
            "`domain` may not name `web`",
        ),
        (
            "src/domain.rs",
            "mod tests { use super::super::web; }",
            "`domain` may not name `web`",
        ),
        (
            "src/store/items.rs",
            "fn f() { crate::mail::send(); }",
            "`store` may not name `mail`",
        ),
        (
            "src/store/items.rs",
            "fn f() { assert!(crate::mail::sent()); }",
            "`store` may not name `mail`",
        ),
        (
            "src/store/items.rs",
            "pub(in crate::flow) fn f() {}",
            "`store` may not name `flow`",
        ),
        (
            "src/flow/open.rs",
            "use crate::web::sign as page;",
            "`flow` may not name `web`",
        ),
        (
            "src/flow/open.rs",
            "use crate::app::App;",
            "`flow` may not name `app`",
        ),
        ("src/flow/open.rs", "use crate::*;", "`crate::*` is no module"),
        (
            "src/flow/open.rs",
            "use crate::Something;",
            "`crate::Something` is no module",
        ),
        (
            "src/web/sign.rs",
            "use crate::worker;",
            "`web` may not name `worker`",
        ),
        (
            "src/web/sign.rs",
            "use countersign::worker;",
            "`web` may not name `worker`",
        ),
        ("src/app.rs", "use crate::cli::demo;", "`app` may not name `cli`"),
        (
            "src/web/sign.rs",
            "use crate::config::Config;",
            "`web` reads `config`",
        ),
        (
            "src/config.rs",
            "use crate::app::App;",
            "`config` may not name `app`",
        ),
        ("src/helpers.rs", "", "`helpers` has no place"),
        (
            "src/web/sign.rs",
            "use crate::helpers::x;",
            "`crate::helpers` is no module",
        ),
        (
            "src/app.rs",
            "use aws_local::Server;",
            "only main, cli, samples may name `aws_local`",
        ),
        (
            "src/app.rs",
            "extern crate aws_local;",
            "only main, cli, samples may name `aws_local`",
        ),
        (
            "src/flow/open.rs",
            "fn f() { asl::parse() }",
            "only main, cli, lint may name `asl`",
        ),
        (
            "src/lint/rules.rs",
            "use aws_local::Options;",
            "only main, cli, samples may name `aws_local`",
        ),
        (
            "src/lint/rules.rs",
            "use crate::flow::open;",
            "`lint` may not name `flow`",
        ),
        ("src/flow/open.rs", "fn f( {", "src/flow/open.rs: "),
    ] {
        let verdict = verdict(file, source);
        assert!(verdict.contains(expected), "{file}: {source}\ngot: {verdict}");
    }
}

#[test]
fn right_imports_pass() {
    for (file, source) in [
        (
            "src/main.rs",
            "mod cli; use crate::cli::Command; fn f() { aws_local::start() }",
        ),
        (
            "src/cli/demo.rs",
            "use aws_local::Server; use crate::{app::App, config::Config, domain::ids};",
        ),
        (
            "src/app.rs",
            "use crate::{config::Config, web, worker, flow, store::Table};",
        ),
        (
            "src/flow/open.rs",
            "use crate::flow::decide; use super::notify; use crate::{store, mail, domain};",
        ),
        (
            "src/flow/open.rs",
            "mod tests { use super::super::notify; use super::*; }",
        ),
        (
            "src/flow/mod.rs",
            "use self::open; mod tests { use super::open; }",
        ),
        (
            "src/domain/ids.rs",
            "// crate::web is not named here\nconst TEXT: &str = \"crate::web::sign\";",
        ),
        (
            "src/domain/ids.rs",
            "use data_encoding::asl; struct asl; fn f(asl: u8) -> u8 { asl }",
        ),
        ("src/domain/ids.rs", "pub(crate) fn f() {}"),
        (
            "src/lint/rules.rs",
            "use asl::Definition; use crate::domain::request;",
        ),
    ] {
        assert_eq!(verdict(file, source), "", "{file}: {source}");
    }
}

#[test]
fn paths_in_documents_are_recognised() {
    assert_eq!(
        named_paths(
            "See `src/app.rs`, `tests/run`, `tests/run --quick`, `a/b`, `/api/v1`, `infra/*.json`, `src/`."
        ),
        ["src/app.rs", "tests/run", "src/"]
    );
}
