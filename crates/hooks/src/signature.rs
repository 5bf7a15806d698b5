//! By what an application knows that a hook comes from this server.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac as sha;
use headwater_access::Secret;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// The header of [`Signer::sign`].
pub const SIGNATURE: &str = "headwater-signature";

/// How far the time in a signature may be from that of whoever checks it.
pub const OLDEST: Duration = Duration::from_secs(300);

/// Signs bodies with a key that the application has as well.
#[derive(Clone)]
pub struct Signer {
    key: sha::Key,
    secret: Secret,
}

impl Signer {
    /// Signs with this key.
    pub fn new(secret: Secret) -> Signer {
        Signer { key: sha::Key::new(sha::HMAC_SHA256, secret.reveal().as_bytes()), secret }
    }

    /// The value of the header [`SIGNATURE`]: `t=<seconds since 1970>,v1=<hex HMAC-SHA-256 of t, a full stop and the
    /// body>`. The time is under the signature, so that an old request can be told from a new one.
    pub fn sign(&self, time: SystemTime, body: &[u8]) -> String {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut context = sha::Context::with_key(&self.key);
        context.update(format!("{seconds}.").as_bytes());
        context.update(body);
        format!("t={seconds},v1={}", hex::encode(context.sign()))
    }

    /// Whether the header [`SIGNATURE`] of a request is from who has the key, and not older than [`OLDEST`]; for
    /// applications.
    pub fn verify(&self, signature: &str, now: SystemTime, body: &[u8]) -> bool {
        let parts = signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1="));
        let Some((seconds, code)) = parts.and_then(|(time, code)| Some((time, hex::decode(code).ok()?))) else {
            return false;
        };
        let Some(time) =
            seconds.parse().ok().and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)))
        else {
            return false;
        };
        let age = now.duration_since(time).unwrap_or_else(|early| early.duration());
        let signed = [seconds.as_bytes(), b".", body].concat();
        age <= OLDEST && sha::verify(&self.key, &signed, &code).is_ok()
    }

    /// The value of `Authorization` that WCS sends: `WCS <hex HMAC-MD5 of the body>`. It says nothing of the time and
    /// can be sent again by whoever saw it.
    pub fn sign_as_wcs(&self, body: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Md5>::new_from_slice(self.secret.reveal().as_bytes()) else {
            return String::new();
        };
        mac.update(body);
        format!("WCS {}", hex::encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl dgst -md5 -hmac` and `-sha256 -hmac`.
    #[test]
    fn signatures_are_those_of_openssl() {
        let signer = Signer::new(Secret::new("key"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        assert_eq!(signer.sign_as_wcs(b"{\"name\":\"camera\"}"), "WCS 53743451553ab0441186c50a67f125ed");
        assert_eq!(
            signer.sign(time, b"{\"name\":\"camera\"}"),
            "t=1700000000,v1=cf5c2e27ca368d36d167a362707fd4a3355ebdddca583e84d1e21ee7386607a9"
        );
    }

    #[test]
    fn attack_k2_what_is_forged_old_or_changed_is_not_taken() {
        let signer = Signer::new(Secret::new("key"));
        let now = SystemTime::now();
        let good = signer.sign(now, b"body");
        let other = Signer::new(Secret::new("another"));
        for (signature, at, body, expected) in [
            (good.clone(), now, "body", true),
            (good.clone(), now + OLDEST - Duration::from_secs(2), "body", true),
            (good.clone(), now + OLDEST + Duration::from_secs(2), "body", false),
            (good.clone(), now - OLDEST - Duration::from_secs(2), "body", false),
            (good.clone(), now, "bodY", false),
            (other.sign(now, b"body"), now, "body", false),
            (good.replace("t=", "t=1"), now, "body", false),
            (good.replace("v1=", "v2="), now, "body", false),
            ("t=99999999999999999999,v1=00".into(), now, "body", false),
            ("t=18446744073709551615,v1=00".into(), now, "body", false),
            (String::new(), now, "body", false),
        ] {
            assert_eq!(signer.verify(&signature, at, body.as_bytes()), expected, "{signature}");
        }
    }

    #[test]
    fn the_key_is_not_told() {
        assert_eq!(format!("{:?}", Signer::new(Secret::new("canary"))), "Signer");
    }
}
