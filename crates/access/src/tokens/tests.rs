//! Tokens of every algorithm that is taken, and the tricks that are played with them (RFC 8725 §2).

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, encode};
use serde_json::{Value, json};

use super::*;
use crate::{asking::Action, rules::Role};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: u64 = 2_000_000_000;

/// A signer with its public key in PEM.
pub(crate) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    pub(crate) public: String,
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

impl Signer {
    fn rsa() -> Signer {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The signer wants the key of PKCS #1, which stands in that of PKCS #8 behind a head of 26 bytes.
        let key = EncodingKey::from_rsa_der(&private.as_ref()[26..]);
        Signer { algorithm: Algorithm::RS256, key, public: pem(public.as_ref()) }
    }

    fn ec() -> Signer {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        Signer { algorithm: Algorithm::ES256, key, public: pem(public.as_ref()) }
    }

    pub(crate) fn ed() -> Signer {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        Signer { algorithm: Algorithm::EdDSA, key, public: pem(public.as_ref()) }
    }

    fn hmac() -> Signer {
        Signer { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(SECRET.as_bytes()), public: SECRET.into() }
    }

    fn name(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    pub(crate) fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }

    fn key(&self) -> TokenKey {
        TokenKey::new(&self.name(), &self.public).unwrap()
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let der = pem_body(&self.public);
        assert_eq!(self.algorithm, Algorithm::EdDSA);
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": URL_SAFE_NO_PAD.encode(&der[der.len() - 32..]) })
    }
}

fn pem_body(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn try_with(text: &str, keys: &[TokenKey], terms: &Terms) -> Result<Caller, TokenError> {
    read(text, keys.iter(), terms, at(NOW))
}

fn attempt(text: &str, keys: &[TokenKey]) -> Result<Caller, TokenError> {
    try_with(text, keys, &Terms { leeway_s: 30, ..Terms::default() })
}

fn good() -> Value {
    json!({ "exp": NOW + 60, "sub": "anna", "publish": ["live/*"], "play": "**" })
}

#[test]
fn each_algorithm_signs_tokens_that_give_the_rights_they_name() {
    for signer in [Signer::hmac(), Signer::rsa(), Signer::ec(), Signer::ed()] {
        let caller =
            attempt(&signer.sign(None, &good()), &[signer.key()]).unwrap_or_else(|e| panic!("{}: {e}", signer.name()));
        let may = |action, name: &str| caller.may(action, &name.parse().unwrap());
        assert_eq!((caller.name.as_str(), caller.role), ("anna", None));
        assert!(may(Action::Publish, "live/a") && may(Action::Play, "other") && !may(Action::Publish, "other"));
        // Every letter of the signature and of the claims counts.
        let token = signer.sign(None, &good());
        for place in (0..token.len()).step_by(7) {
            let mut bent = token.clone().into_bytes();
            bent[place] = if bent[place] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            let is_last = place + 1 == token.len();
            assert!(is_last || attempt(&bent, &[signer.key()]).is_err(), "{} {place}", signer.name());
        }
    }
}

#[test]
fn attack_h4_no_other_algorithm_than_that_of_the_key_is_taken() {
    let rsa = Signer::rsa();
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    // The public key, which everybody knows, as the secret of HMAC: in PEM and in DER.
    for secret in [rsa.public.as_bytes().to_vec(), pem_body(&rsa.public)] {
        let forged = encode(&Header::new(Algorithm::HS256), &good(), &EncodingKey::from_secret(&secret)).unwrap();
        assert!(attempt(&forged, &[rsa.key(), Signer::ec().key()]).is_err());
    }
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "RS512", "PS256", ""] {
        let head = encoded(json!({ "alg": alg, "typ": "JWT" }));
        for signature in ["", "AA", "e30"] {
            let token = format!("{head}.{}.{signature}", encoded(good()));
            assert!(attempt(&token, &[rsa.key()]).is_err(), "{alg}");
            assert!(attempt(&token, &[Signer::hmac().key()]).is_err(), "{alg}");
        }
    }
    // A key that comes within the token is nobody's.
    let own = Signer::ed();
    let header = Header { jwk: serde_json::from_value(own.jwk("x")).ok(), ..Header::new(Algorithm::EdDSA) };
    let token = encode(&header, &good(), &own.key).unwrap();
    assert!(attempt(&token, &[Signer::ed().key()]).is_err());
    assert!(attempt(&token, &[]).is_err());
}

#[test]
fn a_token_that_names_a_key_is_signed_by_that_one() {
    let (first, second) = (Signer::ed(), Signer::ed());
    let set = json!({ "keys": [first.jwk("1"), second.jwk("2"), { "kty": "oct", "k": "AAAA", "alg": "HS256" }, 5] });
    let keys = read_set(set.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 2, "the secret is left out, and what is no key");
    assert!(attempt(&first.sign(Some("1"), &good()), &keys).is_ok());
    assert!(attempt(&first.sign(None, &good()), &keys).is_ok());
    assert_eq!(attempt(&first.sign(Some("2"), &good()), &keys), Err(TokenError::Signature));
    assert_eq!(attempt(&first.sign(Some("3"), &good()), &keys), Err(TokenError::UnknownKey));
    assert_eq!(attempt(&Signer::hmac().sign(None, &good()), &keys), Err(TokenError::UnknownKey));
    for bad in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, r#"{"keys":"x"}"#] {
        assert!(read_set(bad.as_bytes()).is_err(), "{bad}");
    }
    let encryption = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "enc", "x": first.jwk("1")["x"] }] });
    assert!(read_set(encryption.to_string().as_bytes()).is_err());
}

#[test]
fn times_and_names_hold_here_and_now() {
    let signer = Signer::hmac();
    let merged = |extra: Value| {
        let mut claims = good();
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        signer.sign(None, &claims)
    };
    let terms = Terms { audience: Some("media".into()), issuer: Some("us".into()), leeway_s: 30 };
    let plain = Terms { leeway_s: 30, ..Terms::default() };
    let ours = json!({ "aud": ["x", "media"], "iss": "us" });
    assert!(try_with(&merged(ours), &[signer.key()], &terms).is_ok());
    for (claims, terms, said) in [
        (json!({ "exp": NOW - 31 }), &plain, "has expired"),
        (json!({ "exp": NOW - 30 }), &plain, "has expired"),
        (json!({ "exp": null }), &plain, "does not say when it expires"),
        (json!({ "exp": "later" }), &plain, "wrong kind"),
        (json!({ "nbf": NOW + 31 }), &plain, "not valid yet"),
        (json!({ "iat": NOW + 31 }), &plain, "not valid yet"),
        (json!({ "aud": "media" }), &plain, "somebody else (aud)"),
        (json!({}), &terms, "somebody else (aud)"),
        (json!({ "aud": "medial", "iss": "us" }), &terms, "somebody else (aud)"),
        (json!({ "aud": "media", "iss": "them" }), &terms, "somebody else (iss)"),
        (json!({ "aud": "media" }), &terms, "somebody else (iss)"),
        (json!({ "role": "boss" }), &plain, "names a role that there is not"),
        (json!({ "publish": ["a b"] }), &plain, "pattern of streams that is none"),
        (json!({ "publish": 5 }), &plain, "wrong kind"),
        (json!({ "play": vec!["a"; 65] }), &plain, "too many patterns"),
    ] {
        let error = try_with(&merged(claims.clone()), &[signer.key()], terms).unwrap_err().to_string();
        assert!(error.contains(said), "{claims}: {error}");
    }
    for claims in [json!({ "exp": NOW - 29 }), json!({ "nbf": NOW + 30, "iat": NOW + 30 }), json!({ "exp": 1e300 })] {
        assert!(try_with(&merged(claims.clone()), &[signer.key()], &plain).is_ok(), "{claims}");
    }
    let admin = try_with(&merged(json!({ "role": "admin" })), &[signer.key()], &plain).unwrap();
    assert!(admin.role == Some(Role::Admin) && admin.may(Action::Publish, &"any".parse().unwrap()));
}

#[test]
fn tokens_that_are_huge_or_critical_or_no_tokens_are_refused() {
    let signer = Signer::hmac();
    let mut claims = good();
    claims["custom"] = "x".repeat(9_000).into();
    let huge = signer.sign(None, &claims);
    let hits = limits::ACCESS_TOKEN_BYTES.hits();
    assert_eq!(attempt(&huge, &[signer.key()]), Err(TokenError::Unreadable("too long")));
    assert!(limits::ACCESS_TOKEN_BYTES.hits() > hits);
    let header = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let critical = encode(&header, &good(), &signer.key).unwrap();
    assert!(attempt(&critical, &[signer.key()]).is_err());
    for text in ["", ".", "..", "...", "a.b.c", "ey.ey.ey", "e30.e30.e30", "\u{0}.é.x"] {
        assert!(attempt(text, &[signer.key()]).is_err(), "{text}");
    }
    let token = signer.sign(None, &good());
    for end in 0..token.len() {
        assert!(attempt(&token[..end], &[signer.key()]).is_err(), "cut at {end}");
    }
}

#[test]
fn keys_that_are_short_or_of_another_kind_are_refused_when_they_are_read() {
    for (algorithm, material) in [("HS256", "short"), ("RS256", "no pem"), ("none", SECRET), ("HS512", SECRET)] {
        assert!(TokenKey::new(algorithm, material).is_err(), "{algorithm}");
    }
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(TokenKey::new("EdDSA", private).is_err());
}
