//! The addresses of endpoints and sessions.

use headwater_media::{InvalidName, StreamName};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Where offers for a stream are sent.
    Endpoint(StreamName),
    /// A session of a stream.
    Session(StreamName, SessionId),
    /// The choice of rendition of a session.
    Layer(StreamName, SessionId),
}

/// The unguessable id of a session: 128 bits of chance, as 32 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(u128);

impl SessionId {
    /// The length of its text.
    const DIGITS: usize = 32;

    pub(crate) fn random() -> SessionId {
        SessionId(rand::random())
    }

    fn parse(text: &str) -> Option<SessionId> {
        let is_plain = text.len() == Self::DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_plain.then(|| u128::from_str_radix(text, 16).ok().map(SessionId)).flatten()
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for SessionId {
    /// Not the id itself: who reads a log must not be able to end sessions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// How the address of a session's choice of rendition ends.
pub(crate) const LAYER: &str = "/layer";

/// Whether a path is for [`Whep`](crate::Whep): it ends in `/whep`, or in `/whep/` and the id of a session, with or
/// without `/layer` behind it.
pub fn is_whep(path: &str) -> bool {
    split(path, "whep").is_some()
        || path.strip_suffix(LAYER).is_some_and(|path| matches!(split(path, "whep"), Some((_, Some(_)))))
}

/// Whether a path is for [`Whip`](crate::Whip): it ends in `/whip`, or in `/whip/` and the id of a session.
pub fn is_whip(path: &str) -> bool {
    split(path, "whip").is_some()
}

/// Whether a path is that of a session of either, or of its choice of rendition.
pub fn is_session(path: &str) -> bool {
    let path = path.strip_suffix(LAYER).unwrap_or(path);
    ["whep", "whip"].iter().any(|word| matches!(split(path, word), Some((_, Some(_)))))
}

/// Reads a path that ends in the word of an endpoint, such as `whep`. `None` where it does not end so.
///
/// # Errors
/// Says which rule the name of the stream breaks.
pub(crate) fn parse(path: &str, word: &str) -> Option<Result<Target, InvalidName>> {
    let of_layer = path.strip_suffix(LAYER).and_then(|path| split(path, word));
    if let Some((name, Some(id))) = of_layer {
        return Some(StreamName::new(name).map(|name| Target::Layer(name, id)));
    }
    let (name, id) = split(path, word)?;
    Some(StreamName::new(name).map(|name| match id {
        Some(id) => Target::Session(name, id),
        None => Target::Endpoint(name),
    }))
}

fn split<'a>(path: &'a str, word: &str) -> Option<(&'a str, Option<SessionId>)> {
    let (head, last) = path.strip_prefix('/')?.rsplit_once('/')?;
    if last == word {
        return Some((head, None));
    }
    let (name, before_last) = head.rsplit_once('/')?;
    (before_last == word).then_some((name, Some(SessionId::parse(last)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn check(path: &str, expected: Option<(&str, bool)>) {
        let found = parse(path, "whep").and_then(Result::ok).map(|target| match target {
            Target::Endpoint(name) => (name.to_string(), false),
            Target::Session(name, id) => {
                assert_eq!(id.to_string(), ID);
                (name.to_string(), true)
            }
            Target::Layer(name, id) => {
                assert_eq!(id.to_string(), ID);
                (format!("the layer of {name}"), true)
            }
        });
        let expected = expected.map(|(name, session)| (name.to_owned(), session));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn names_may_hold_slashes() {
        check("/demo/whep", Some(("demo", false)));
        check("/a/b/c/d/whep", Some(("a/b/c/d", false)));
        check("/whep/whep", Some(("whep", false)));
        check(&format!("/demo/whep/{ID}"), Some(("demo", true)));
        check(&format!("/a/b/whep/{ID}"), Some(("a/b", true)));
        check(&format!("/a/b/whep/{ID}/layer"), Some(("the layer of a/b", true)));
        assert!(is_whep(&format!("/a/whep/{ID}/layer")) && !is_whep("/a/whep/layer"));
        for path in ["/a/whep/{ID}", "/a/b/whip/{ID}", "/a/whep/{ID}/layer"] {
            assert!(is_session(&path.replace("{ID}", ID)), "{path}");
        }
        for path in ["/a/whep", "/a/whip", "/a/whep/layer", "/a/whep/1", "/rest-api/stream/find_all", "/"] {
            assert!(!is_session(path), "{path}");
        }
    }

    #[test]
    fn anything_else_is_not_for_whep() {
        for path in ["", "/", "/whep", "whep", "/demo", "/demo/whep/", "/demo/whep/12", "/demo/whip"] {
            check(path, None);
            assert!(!is_whep(path), "{path}");
        }
        check(&format!("/demo/whep/+{}", &ID[1..]), None);
    }

    #[test]
    fn bad_names_are_told_apart_from_other_paths() {
        for path in ["/a%2fb/whep", "/../whep", "/a/b/c/d/e/whep", "//whep"] {
            assert!(matches!(parse(path, "whep"), Some(Err(_))), "{path}");
        }
    }

    #[test]
    fn the_id_of_a_session_is_not_shown_to_those_who_debug() {
        let id = SessionId::parse(ID).unwrap();
        assert!(!format!("{:?}", Target::Session(StreamName::new("a").unwrap(), id)).contains(ID));
    }
}
