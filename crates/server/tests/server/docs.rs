//! The generated reference pages are those of the code.

use std::{collections::HashSet, env, fs, path::Path};

use crate::support::start;

#[tokio::test]
async fn reference_pages_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let server = start("").await;
    let mut stale = Vec::new();
    for (file, page) in headwater_server::reference(server.control().metrics()) {
        let path = folder.join(file);
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        if fs::read_to_string(&path).unwrap_or_default() != page {
            stale.push(file);
        }
    }
    assert!(
        stale.is_empty(),
        "docs/reference is stale: {stale:?}. Write it again with: UPDATE_DOCS=1 cargo test -p headwater-server --test server"
    );
    server.stop().await;
}

/// The names of all functions in Rust files below a folder.
fn functions(folder: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let starts = text.split("fn ").skip(1);
            names.extend(starts.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
}

#[test]
fn the_tests_that_the_page_of_attacks_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = HashSet::new();
    for folder in ["crates", "tests/tests"] {
        functions(&root.join(folder), &mut names);
    }
    let page = fs::read_to_string(root.join("docs/reference/attacks.md")).unwrap();
    let named = page.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() > 3);
    let named: Vec<&str> = named.collect();
    assert!(named.len() > 50, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !names.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/reference/attacks.md names tests that are not there: {missing:?}");
}
