//! Keys that sign tokens: from the configuration, from files in PEM, and from sets of keys (JWKS, RFC 7517).

use headwater_media::limits;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde_json::Value;

use crate::entry::{BadEntry, bad};

/// A key with the one algorithm that it is for.
pub(crate) struct TokenKey {
    pub(crate) algorithm: Algorithm,
    /// The id by which tokens name it (`kid`).
    pub(crate) id: Option<String>,
    pub(crate) key: DecodingKey,
}

/// RFC 7518 §3.2: a key of HMAC is at least as long as its hash.
const SECRET_BYTES_MIN: usize = 32;

impl TokenKey {
    /// A key of the configuration: `HS256:SECRET`, or `RS256:`, `ES256:` or `EdDSA:` and a public key in PEM.
    pub(crate) fn new(algorithm: &str, material: &str) -> Result<TokenKey, BadEntry> {
        let der = || {
            SubjectPublicKeyInfoDer::from_pem_slice(material.as_bytes())
                .map_err(|_| bad("names a file that holds no public key in PEM (BEGIN PUBLIC KEY)"))
        };
        let (algorithm, key) = match algorithm {
            "HS256" if material.len() < SECRET_BYTES_MIN => return Err(bad("has a secret of less than 32 letters")),
            "HS256" => (Algorithm::HS256, DecodingKey::from_secret(material.as_bytes())),
            "RS256" => (Algorithm::RS256, DecodingKey::from_rsa_der(der()?.as_ref())),
            "ES256" => (Algorithm::ES256, DecodingKey::from_ec_der(der()?.as_ref())),
            "EdDSA" => (Algorithm::EdDSA, DecodingKey::from_ed_der(der()?.as_ref())),
            _ => return Err(bad("begins with none of HS256, RS256, ES256 and EdDSA")),
        };
        Ok(TokenKey { algorithm, id: None, key })
    }
}

/// The keys of a set that sign, by an algorithm that is taken. Others are left out, as RFC 7517 §5 has it.
///
/// Secrets (`oct`) are left out as well: a set is fetched from where others fetch it, too.
pub(crate) fn read_set(bytes: &[u8]) -> Result<Vec<TokenKey>, BadEntry> {
    let set: Value = serde_json::from_slice(bytes).map_err(|_| bad("holds no JSON"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or_else(|| bad("holds no set of keys (JWKS)"))?;
    let most = limits::ACCESS_KEY_SET_KEYS.get_usize();
    if keys.len() > most {
        limits::ACCESS_KEY_SET_KEYS.hit();
    }
    let read = |key: &Value| serde_json::from_value(key.clone()).ok().and_then(|key: Jwk| from_jwk(&key));
    let keys: Vec<TokenKey> = keys.iter().take(most).filter_map(read).collect();
    if keys.is_empty() { Err(bad("holds no key for RS256, ES256 or EdDSA")) } else { Ok(keys) }
}

fn from_jwk(jwk: &Jwk) -> Option<TokenKey> {
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|said| said != name) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(TokenKey { algorithm, id: jwk.common.key_id.clone(), key })
}
