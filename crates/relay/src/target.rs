//! Where a relay leads to: what it connects with, and what may be shown of it.

use headwater_media::StreamName;
use headwater_rtmp::{InvalidUrl, RtmpUrl};
use url::Url;

use crate::error::RelayError;

/// The longest URL that is taken, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Stands where something is not shown.
const HIDDEN: &str = "***";

/// The other end of a relay.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: RtmpUrl,
    /// As it was asked for.
    asked: String,
    /// The same without what may be a secret.
    pub(crate) shown: String,
}

impl Target {
    /// A URL with application and key.
    pub(crate) fn whole(text: &str, key_is_secret: bool) -> Result<Target, RelayError> {
        let shown = check(text)?;
        let url = RtmpUrl::parse(text)?;
        Ok(Target { url, asked: text.to_owned(), shown: show(shown, key_is_secret) })
    }

    /// A URL of an application, and the key that a stream gets there.
    pub(crate) fn application(text: &str, prefix: &str, stream: &StreamName) -> Result<Target, RelayError> {
        let parsed = check(text)?;
        let mut whole = parsed.clone();
        let path = format!("{}/key", parsed.path().trim_end_matches('/'));
        whole.set_path(&path);
        let mut url = RtmpUrl::parse(whole.as_str())?;
        let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
        url.key = format!("{prefix}{stream}{query}");
        Ok(Target { url, asked: text.to_owned(), shown: show(parsed, false) })
    }

    /// Whether it is what a text asks for, by the whole URL or by what is shown of it.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.asked == text || self.shown == text
    }

    pub(crate) fn is_same(&self, other: &Target) -> bool {
        self.url == other.url
    }

    /// Words of the other server without what it may have repeated of the secrets.
    pub(crate) fn hide(&self, words: &str) -> String {
        let secrets = [self.asked.as_str(), self.url.key.as_str(), self.url.app.as_str()];
        let query = self.url.key.split_once('?').map(|(_, query)| query);
        let secrets = secrets.into_iter().chain(query).filter(|secret| secret.len() > 4);
        let hidden = secrets.fold(words.to_owned(), |words, secret| words.replace(secret, HIDDEN));
        hidden.chars().filter(|letter| !letter.is_control()).take(300).collect()
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn check(text: &str) -> Result<Url, RelayError> {
    if text.len() > URL_BYTES_MAX {
        return Err(InvalidUrl::Syntax(url::ParseError::Overflow).into());
    }
    let url = Url::parse(text).map_err(InvalidUrl::from)?;
    if !matches!(url.scheme(), "rtmp" | "rtmps") {
        return Err(InvalidUrl::Scheme(url.scheme().chars().take(32).collect()).into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RelayError::Userinfo);
    }
    Ok(url)
}

fn show(mut url: Url, key_is_secret: bool) -> String {
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    url.set_fragment(None);
    if key_is_secret && let Ok(mut path) = url.path_segments_mut() {
        path.pop().push(HIDDEN);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_to_an_application_gets_the_prefix_and_the_name() {
        let name = StreamName::new("studio/cam").unwrap();
        let target = Target::application("rtmp://a.example:1936/live?token=secret", "rtmp_", &name).unwrap();
        assert_eq!((target.url.app.as_str(), target.url.key.as_str()), ("live", "rtmp_studio/cam?token=secret"));
        assert_eq!(target.shown, "rtmp://a.example:1936/live?***");
        assert!(target.is("rtmp://a.example:1936/live?token=secret") && target.is(&target.shown));
    }

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let cases = [
            (true, "rtmps://a.example/live2/abcd-efgh?x=secret#f", "rtmps://a.example/live2/***?***"),
            (false, "rtmp://a.example/live/cam?pass=secret", "rtmp://a.example/live/cam?***"),
            (false, "rtmp://a.example/live/cam", "rtmp://a.example/live/cam"),
        ];
        for (key_is_secret, url, shown) in cases {
            let target = Target::whole(url, key_is_secret).unwrap();
            assert_eq!(target.shown, shown);
            assert_eq!(format!("{target:?}"), shown);
        }
        let target = Target::whole("rtmp://a.example/live/abcd-efgh?x=secret", true).unwrap();
        assert_eq!(target.hide("no key abcd-efgh?x=secret\n here"), "no key *** here");
    }

    #[test]
    fn what_is_no_rtmp_url_is_refused() {
        let long = format!("rtmp://a.example/live/{}", "x".repeat(3_000));
        let wrong = [
            "",
            "cam",
            "file:///etc/passwd",
            "http://a.example/live/x",
            "concat:a",
            "rtmp://",
            "rtmp:///live/x",
            &long,
        ];
        for url in wrong {
            assert!(matches!(Target::whole(url, true), Err(RelayError::Url(_))), "{url:.40}");
        }
        assert!(matches!(Target::whole("rtmp://a:b@c.example/live/x", true), Err(RelayError::Userinfo)));
        assert!(matches!(Target::whole("rtmp://c.example/x", true), Err(RelayError::Url(InvalidUrl::NoKey))));
    }
}
