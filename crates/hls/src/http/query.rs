//! What players bring in the query of an address.

use headwater_media::limits;
use url::form_urlencoded;

use crate::{container::Format, viewers::ViewerId, window::Position};

/// What a query says.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) viewer: Option<ViewerId>,
    pub(super) format: Option<Format>,
    /// `_HLS_msn` and `_HLS_part` (rfc8216bis §6.2.5.2).
    pub(super) position: Option<Position>,
    /// `_HLS_skip` (rfc8216bis §6.2.5.1).
    pub(super) skip: bool,
    /// The rest, as it goes behind every address, with its question mark; may be empty.
    pub(super) carried: String,
}

const VIEWER: &str = "viewer";
const FORMAT: &str = "container";

impl Query {
    /// # Errors
    /// Says what makes no sense.
    pub(super) fn parse(raw: &str) -> Result<Query, &'static str> {
        if raw.len() as u64 > limits::HLS_QUERY_BYTES.get() {
            limits::HLS_QUERY_BYTES.hit();
            return Err("the query of the address is too long");
        }
        let mut query = Query::default();
        let (mut sequence, mut part) = (None, None);
        let mut carried = form_urlencoded::Serializer::new(String::new());
        let mut is_empty = true;
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            match &*name {
                "_HLS_msn" => sequence = Some(value.parse().map_err(|_| "_HLS_msn must be a whole number")?),
                "_HLS_part" => part = Some(value.parse().map_err(|_| "_HLS_part must be a whole number")?),
                "_HLS_skip" => query.skip = matches!(&*value, "YES" | "v2"),
                VIEWER => query.viewer = ViewerId::parse(&value),
                FORMAT => query.format = Some(Format::named(&value).ok_or("container must be fmp4 or ts")?),
                _ if name.starts_with("_HLS_") => {}
                _ => {
                    carried.append_pair(&name, &value);
                    is_empty = false;
                }
            }
        }
        query.position = sequence.map(|sequence| Position { sequence, part });
        if part.is_some() && sequence.is_none() {
            return Err("_HLS_part needs _HLS_msn");
        }
        if !is_empty {
            query.carried = format!("?{}", carried.finish());
        }
        Ok(query)
    }

    /// What goes behind the address of a media playlist: what was brought, who it is, and what it asked for.
    pub(super) fn carried_with_viewer(&self, id: ViewerId) -> String {
        let sign = if self.carried.is_empty() { "?" } else { "&" };
        let format = self.format.map(|format| format!("&{FORMAT}={}", format.name())).unwrap_or_default();
        format!("{}{sign}{VIEWER}={id}{format}", self.carried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_taken_and_what_is_not_is_carried() {
        let id = "000102030405060708090a0b0c0d0e0f";
        let raw = format!("token=a%2Fb&_HLS_msn=7&viewer={id}&_HLS_part=2&_HLS_skip=YES&x=%22&container=ts&_HLS_new=1");
        let query = Query::parse(&raw).unwrap();
        assert_eq!(query.position, Some(Position { sequence: 7, part: Some(2) }));
        assert_eq!((query.skip, query.format, query.viewer), (true, Some(Format::Ts), ViewerId::parse(id)));
        assert_eq!(query.carried, "?token=a%2Fb&x=%22");
        let id = ViewerId::parse(id).unwrap();
        assert_eq!(query.carried_with_viewer(id), format!("?token=a%2Fb&x=%22&viewer={id}&container=ts"));
        assert_eq!(Query::parse("").unwrap().carried_with_viewer(id), format!("?viewer={id}"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for raw in ["_HLS_msn=x", "_HLS_msn=-1", "_HLS_part=1", "_HLS_msn=1&_HLS_part=", "container=webm"] {
            assert!(Query::parse(raw).is_err(), "{raw}");
        }
        assert!(Query::parse(&"x".repeat(limits::HLS_QUERY_BYTES.get_usize() + 1)).is_err());
        assert!(Query::parse("viewer=1").unwrap().viewer.is_none());
    }
}
