//! What people and programs may do: roles, and patterns of the streams that a right is for.

use std::{fmt, str::FromStr};

use headwater_media::StreamName;

use crate::asking::Action;

/// What somebody is to this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Plays every stream and looks at what there is.
    Viewer,
    /// Publishes and plays every stream, besides what a viewer may.
    Publisher,
    /// Ends, relays and watches over everything that runs, besides what a publisher may.
    Operator,
    /// Does all there is.
    Admin,
    /// Another server of the same operator: publishes, plays and looks, and what only servers do with each other.
    Node,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Publisher, Role::Operator, Role::Admin, Role::Node];

    /// Whether it may do what takes at least another role.
    pub fn includes(self, least: Role) -> bool {
        match self {
            Role::Admin => true,
            Role::Operator => matches!(least, Role::Operator | Role::Publisher | Role::Viewer),
            Role::Publisher => matches!(least, Role::Publisher | Role::Viewer),
            Role::Viewer => least == Role::Viewer,
            Role::Node => matches!(least, Role::Node | Role::Publisher | Role::Viewer),
        }
    }

    /// Whether it may do this with every stream.
    pub fn may(self, action: Action) -> bool {
        match action {
            Action::Publish => self.includes(Role::Publisher),
            Action::Play => self.includes(Role::Viewer),
        }
    }

    /// Its name in the configuration, in tokens and in refusals.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Publisher => "publisher",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Node => "node",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, publisher, operator, admin or node")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

/// Names of streams that a right is for: `live/camera` is one name, `*` stands for any letters within a part between
/// slashes, and `**` in place of a part for any number of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pattern is the name of a stream, in which * stands for any letters and ** for any parts, as in live/*")]
pub struct BadPattern;

impl Pattern {
    /// The most parts between slashes: one more than names have, for `**` that stands for none.
    const PARTS_MAX: usize = StreamName::SEGMENTS_MAX + 1;

    /// Whether the right is for this stream.
    pub fn matches(&self, stream: &StreamName) -> bool {
        let parts: Vec<&str> = stream.as_str().split('/').collect();
        matches_parts(&self.0, &parts)
    }
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Pattern, BadPattern> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        let is_good = parts.len() <= Pattern::PARTS_MAX && parts.iter().all(|part| is_part(part));
        is_good.then_some(Pattern(parts)).ok_or(BadPattern)
    }
}

fn is_part(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
    let is_short = (1..=StreamName::SEGMENT_BYTES_MAX).contains(&part.len());
    is_short && part.bytes().all(is_letter) && (part == "**" || !part.contains("**"))
}

/// Recursion is as deep as there are parts, which are few.
fn matches_parts(pattern: &[String], parts: &[&str]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            matches_parts(rest, parts) || parts.split_first().is_some_and(|(_, parts)| matches_parts(pattern, parts))
        }
        (Some((first, rest)), Some((part, parts))) => {
            matches_part(first.as_bytes(), part.as_bytes()) && matches_parts(rest, parts)
        }
        _ => false,
    }
}

/// `*` in one part. Goes back to the last `*` only, so the time is bounded by the product of both lengths.
fn matches_part(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut letter) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(letter) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, letter));
                at += 1;
            }
            Some(wanted) if wanted == byte => (at, letter) = (at + 1, letter + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (at, letter) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_and_nothing_besides() {
        for (pattern, good, bad) in [
            ("live/camera", &["live/camera"][..], &["live/camera2", "live", "live/camera/x", "Live/camera"][..]),
            ("live/*", &["live/a", "live/cam.1"], &["live", "live/a/b", "other/a", "liver/a"]),
            ("live/cam-*-x", &["live/cam-1-x", "live/cam--x-x"], &["live/cam-1-y", "live/cam-x"]),
            ("**", &["a", "a/b", "a/b/c/d"], &[]),
            ("live/**", &["live", "live/a", "live/a/b/c"], &["alive", "a/live"]),
            ("**/main", &["main", "a/main", "a/b/c/main"], &["a/main2", "main/a"]),
            ("*", &["a"], &["a/b"]),
            ("*a*b*", &["ab", "xaybz", "aab"], &["ba", "a", "b"]),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            for name in good {
                assert!(parsed.matches(&name.parse().unwrap()), "{pattern} {name}");
            }
            for name in bad {
                assert!(!parsed.matches(&name.parse().unwrap()), "{pattern} {name}");
            }
        }
        for bad in ["", "/", "live/", "a b", "***", "a**", "a/b/c/d/e/f", "../x\n", "é"] {
            assert_eq!(bad.parse::<Pattern>(), Err(BadPattern), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time_to_speak_of() {
        let pattern: Pattern = "*a".repeat(64).parse().unwrap();
        let begun = std::time::Instant::now();
        assert!(!pattern.matches(&"a".repeat(60).parse().unwrap()));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(127)).parse().unwrap()));
        assert!(begun.elapsed().as_millis() < 100);
    }

    #[test]
    fn roles_may_what_those_below_them_may() {
        let may = |role: Role| Role::ALL.into_iter().filter(|least| role.includes(*least)).count();
        assert_eq!(Role::ALL.map(may), [1, 2, 3, 5, 3]);
        assert!(
            !Role::Viewer.may(Action::Publish) && Role::Node.may(Action::Publish) && Role::Viewer.may(Action::Play)
        );
        assert!(!Role::Node.includes(Role::Operator) && !Role::Operator.includes(Role::Node));
    }
}
