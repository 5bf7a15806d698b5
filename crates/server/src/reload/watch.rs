//! Looking now and then whether the configuration file is another.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use super::Reloader;

/// How often it is looked. Changes that an editor makes in several steps are then mostly one.
const INTERVAL: Duration = Duration::from_secs(2);

/// Reads the configuration again whenever its file changes; runs until dropped.
pub(crate) async fn watch(reloader: Reloader) {
    let Some(file) = reloader.file() else { return };
    let mut known = look(&file);
    loop {
        tokio::time::sleep(INTERVAL).await;
        let seen = look(&file);
        // A file that is missing for a moment is being replaced.
        if seen.is_none() || seen == known {
            continue;
        }
        known = seen;
        if let Err(error) = reloader.reload() {
            tracing::error!(%error, "the configuration file has changed and is refused; the server goes on as it was");
        }
    }
}

/// What tells one content of a file from another without reading it.
fn look(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
