//! Credentials as they come by HTTP and in the query of an address.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use url::form_urlencoded;

use crate::{asking::Credentials, secret::Secret};

/// Parameters of one address that are kept.
const PARAMETERS_MAX: usize = 64;

impl Credentials {
    /// What a query such as `token=…` or `user=…&pass=…` brings. All of it is kept as parameters; `token`, and
    /// `user` together with `pass`, are besides taken for what they are named.
    pub fn of_query(query: &str) -> Credentials {
        let pairs = form_urlencoded::parse(query.as_bytes()).take(PARAMETERS_MAX);
        Credentials::of_parameters(pairs.map(|(name, value)| (name.into_owned(), Secret::new(value))).collect())
    }

    /// The same of parameters that came in another way.
    pub fn of_parameters(parameters: Vec<(String, Secret)>) -> Credentials {
        let mut credentials = Credentials { parameters, ..Credentials::default() };
        let filled = |name| credentials.parameter(name).filter(|value| !value.reveal().is_empty()).cloned();
        let (token, user, pass) = (filled("token"), filled("user"), filled("pass"));
        credentials.token = token;
        credentials.user = user.zip(pass).map(|(user, pass)| (user.reveal().to_owned(), pass));
        credentials
    }

    /// What a request over HTTP brings: `Authorization` as Bearer (RFC 6750 §2.1) or Basic (RFC 7617 §2), and its
    /// query. What the header says counts before what the query says.
    pub fn of_request(headers: &HeaderMap, query: Option<&str>) -> Credentials {
        let mut credentials = Credentials::of_query(query.unwrap_or_default());
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, rest) = value.split_once(' ').unwrap_or_default();
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            credentials.token = Some(Secret::new(rest));
        } else if scheme.eq_ignore_ascii_case("basic") {
            credentials.user = basic(rest).or(credentials.user);
        }
        credentials
    }

    /// The application that the parameter `appKey` names.
    pub fn app_key(&self) -> Option<String> {
        self.parameter("appKey").map(|key| key.reveal().to_owned())
    }
}

fn basic(text: &str) -> Option<(String, Secret)> {
    let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authorization: Option<&str>, query: &str, token: Option<&str>, user: Option<(&str, &str)>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let found = Credentials::of_request(&headers, Some(query));
        assert_eq!(found.token.as_ref().map(Secret::reveal), token, "{authorization:?} {query}");
        let named = found.user.as_ref().map(|(user, password)| (user.as_str(), password.reveal()));
        assert_eq!(named, user, "{authorization:?} {query}");
    }

    #[test]
    fn the_header_counts_before_the_query() {
        check(None, "", None, None);
        check(Some("Bearer abc"), "", Some("abc"), None);
        check(Some("bearer  abc "), "token=x", Some("abc"), None);
        check(None, "token=a%2Fb", Some("a/b"), None);
        check(None, "token=", None, None);
        check(None, "user=ann&pass=se%20cret", None, Some(("ann", "se cret")));
        check(None, "user=ann", None, None);
        check(Some("Basic YW5uOnM6Yw=="), "user=eve&token=t", Some("t"), Some(("ann", "s:c")));
    }

    #[test]
    fn what_is_no_authorization_brings_nothing() {
        for value in ["Bearer", "Bearer ", "Basic", "Basic !!", "Basic YW5u", "Basic /w==", "Digest x", "ä"] {
            check(Some(value), "", None, None);
        }
    }

    #[test]
    fn parameters_are_kept_in_their_order_and_bounded() {
        let query: String = (0..1_000).map(|at| format!("k{at}={at}&")).collect();
        let found = Credentials::of_query(&query);
        assert_eq!(found.parameters.len(), PARAMETERS_MAX);
        assert_eq!(found.parameters[1], ("k1".to_owned(), Secret::new("1")));
        assert!(!format!("{:?}", Credentials::of_query("key=canary")).contains("canary"));
    }
}
