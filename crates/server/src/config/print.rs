//! The configuration as a commented file and as a reference page.

use std::fmt::Write;

use super::{Config, Section, load::variable};

impl Config {
    /// A configuration file that holds every key with its value in force, commented.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Headwater configuration.\n# Every key is optional; the values below are used where a key is missing.\n",
        );
        text.push_str("# HEADWATER__SECTION__KEY=value in the environment overrides the key of that name.\n");
        for section in self.sections().into_iter().filter(|section| !section.keys().is_empty()) {
            print_section(&mut text, section);
        }
        text
    }

    /// The reference page of the configuration, in Markdown.
    pub fn reference(&self) -> String {
        let mut page = String::from(INTRODUCTION);
        for section in self.sections() {
            // The limits have a page of their own with their units.
            let keys = section.keys();
            if section.name() != "limits" && !keys.is_empty() {
                describe_section(&mut page, section);
            }
        }
        page.push_str("\n## [limits]\n\n");
        page.push_str(
            "Every limit of [limits.md](limits.md), by its name in lower case. Changes take effect at once.\n",
        );
        page
    }
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the types in crates/server; do not edit. -->

Headwater starts without any configuration: it then listens on loopback only, on the ports below.
A file in [TOML](https://toml.io) is named with `--config FILE`.
An environment variable `HEADWATER__SECTION__KEY=value` overrides the key of that name; its value is read as TOML and, where it is none, as text.
`--listen ADDRESS` overrides the address of all listeners.

`--print-default-config` writes a file with every key, its meaning and its default.
`--check-config` reads everything, says what is wrong and where, and does not start.
A key that does not exist is an error.

A server that runs reads its file again when it changes, on `SIGHUP`, and when `/rest-api/config/reload` is called.
What it reads is checked whole and, if anything is wrong, refused whole: nothing changes, and the log and the call say why.
Keys that take effect at once are marked below; of the others the log says that they wait for a restart.
No session ends by it.
";

const LIVE: &str = "- A change takes effect at once.\n";

fn print_section(text: &mut String, section: &dyn Section) {
    let _ = writeln!(text);
    comment(text, &section.about());
    let _ = writeln!(text, "[{}]", section.name());
    for key in section.keys() {
        comment(text, &key.about);
        let value = section.get(key.name).unwrap_or(key.default);
        let _ = writeln!(text, "{} = {value}", key.name);
    }
}

/// Writes a comment of lines that fit a terminal.
fn comment(text: &mut String, about: &str) {
    const WIDTH: usize = 100;
    let mut line = String::from("#");
    for word in about.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

fn describe_section(page: &mut String, section: &dyn Section) {
    let _ = write!(page, "\n## [{}]\n\n{}\n", section.name(), section.about());
    for key in section.keys() {
        let _ = write!(
            page,
            "\n### `{}`\n\n{}\n\n- Must be {}.\n- Default: `{}`\n- Environment: `{}`\n{}",
            key.name,
            key.about,
            key.expects,
            key.default,
            variable(section.name(), key.name),
            if key.is_live { LIVE } else { "" }
        );
    }
}
