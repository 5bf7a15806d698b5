//! Any text for what reads credentials, for the fuzzers.

use std::{sync::LazyLock, time::SystemTime};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::Value;

use crate::{
    asking::Credentials,
    keys::{ApiToken, StreamKey},
    rules::Pattern,
    tokens::{self, Terms, TokenKey, read_set},
};

const SECRET: &str = "a secret that only fuzzers know..";

static KEYS: LazyLock<Vec<TokenKey>> = LazyLock::new(|| TokenKey::new("HS256", SECRET).into_iter().collect());

/// A text as a token: whatever is taken must be signed by the one key that there is. The same text as the claims of
/// a token that is signed well, as a set of keys, as an entry of the configuration and as a pattern.
pub fn token(text: &str) {
    let terms = Terms { audience: None, issuer: None, leeway_s: 30 };
    if tokens::read(text, KEYS.iter(), &terms, SystemTime::UNIX_EPOCH).is_ok() {
        assert!(is_signed(text), "a token is taken that nobody has signed");
    }
    if let Ok(claims) = serde_json::from_str::<Value>(text) {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        if let Ok(token) = encode(&Header::new(Algorithm::HS256), &claims, &key) {
            let taken = tokens::read(&token, KEYS.iter(), &terms, SystemTime::UNIX_EPOCH).is_ok();
            let expires = claims.get("exp").and_then(Value::as_f64);
            assert!(!taken || expires.is_some(), "a token is taken that never expires");
        }
    }
    let _ = read_set(text.as_bytes());
    let _ = StreamKey::parse(text);
    let _ = ApiToken::parse(text);
    let _ = text.parse::<Pattern>().map(|pattern| pattern.matches(&FIXED));
    let _ = Credentials::of_query(text);
}

static FIXED: LazyLock<headwater_media::StreamName> = LazyLock::new(|| match "live/camera".parse() {
    Ok(name) => name,
    Err(_) => unreachable!("this is a name"),
});

fn is_signed(text: &str) -> bool {
    let Some((message, signature)) = text.rsplit_once('.') else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    hmac::verify(&key, message.as_bytes(), &signature).is_ok()
}
