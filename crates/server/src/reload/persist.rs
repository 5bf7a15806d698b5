//! Writing one key into the configuration file, whose comments and order stay.

use std::{fs, io, path::Path};

use toml_edit::{DocumentMut, Item, Table, Value};

use super::problem;
use crate::config::{ConfigError, Set};

/// Writes a key. The file is replaced in one step, so that nobody ever reads half of it.
///
/// # Errors
/// The file is not readable, not TOML any more, or cannot be written.
pub(super) fn write(file: &Path, set: &Set) -> Result<(), ConfigError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return Err(cannot("read", file, &error)),
    };
    let changed = with(&text, set).ok_or_else(|| {
        problem(format!("{} is not the TOML that it was", file.display()), "Correct the file and call again.")
    })?;
    replace(file, &changed).map_err(|error| cannot("write", file, &error))
}

/// The text with another value of a key.
fn with(text: &str, set: &Set) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let value: Value = set.value.parse().ok()?;
    let section = document.entry(&set.section).or_insert_with(|| Item::Table(Table::new()));
    let table = section.as_table_like_mut()?;
    match table.get_mut(&set.key).and_then(Item::as_value_mut) {
        Some(known) => {
            let decor = known.decor().clone();
            *known = value;
            *known.decor_mut() = decor;
        }
        None => {
            table.insert(&set.key, Item::Value(value));
        }
    }
    Some(document.to_string())
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Of a link, what it leads to is replaced, and not the link.
    let file = fs::canonicalize(file)?;
    let beside = file.with_extension(format!("{:08x}.part", rand::random::<u32>()));
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(&file)?.permissions()))
        .and_then(|()| fs::File::open(&beside)?.sync_all())
        .and_then(|()| fs::rename(&beside, &file));
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> ConfigError {
    problem(
        format!("cannot {what} {}: {error}", file.display()),
        "Check the permissions of the file and its folder, or leave out persist.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_and_all_else_stays() {
        let set = |section: &str, key: &str, value: &str| Set {
            section: section.into(),
            key: key.into(),
            value: value.into(),
        };
        let text = "# mine\n[streams]\ngrace_ms = 5000 # long\n\n[log] # told\nlevel = \"info\"\n";
        let changed = with(text, &set("streams", "grace_ms", "100")).unwrap();
        assert_eq!(changed, text.replace("5000", "100"));
        let changed = with(text, &set("log", "format", "\"json\"")).unwrap();
        assert_eq!(changed, format!("{text}format = \"json\"\n"));
        let changed = with(text, &set("http", "hosts", "[\"a.example\"]")).unwrap();
        assert_eq!(changed, format!("{text}\n[http]\nhosts = [\"a.example\"]\n"));
        assert_eq!(with("[streams", &set("log", "level", "1")), None);
        assert_eq!(with("log = 1", &set("log", "level", "1")), None);
    }
}
