//! The generated reference pages are those of the code.

use std::{env, fs, path::Path};

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
