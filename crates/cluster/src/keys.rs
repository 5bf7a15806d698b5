//! What follows from the secret: proofs of a link and tokens.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use headwater_access::Secret;
use serde::{Deserialize, Serialize};

use crate::{NodeId, Role};

/// How long a token is good, in milliseconds, and how far the clocks of nodes may be apart that have no link.
pub(crate) const TOKEN_MS: u64 = 60_000;
/// How long a mark is: two of a thousand nodes have the same once in half a billion clusters.
const MARK_DIGITS: usize = 12;
const TOKEN_BYTES_MAX: usize = 1 << 10;

/// Who made a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The node.
    pub node: NodeId,
    /// What it is for.
    pub role: Role,
}

/// Keys for proofs, for tokens and for marks, so that none can be taken for another.
#[derive(Clone)]
pub(crate) struct Keys {
    link: Key,
    token: Key,
    mark: Key,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    n: NodeId,
    r: Role,
    t: u64,
}

impl Keys {
    pub(crate) fn new(secret: &Secret) -> Keys {
        let root = Key::new(HMAC_SHA256, secret.reveal().as_bytes());
        let derive = |label: &str| Key::new(HMAC_SHA256, hmac::sign(&root, label.as_bytes()).as_ref());
        Keys {
            link: derive("headwater cluster link 1"),
            token: derive("headwater cluster token 1"),
            mark: derive("headwater cluster mark 1"),
        }
    }

    /// What proves one side's part in a handshake: a code over whose proof it is and over both sides' greetings.
    pub(crate) fn prove(&self, side: &str, dialer: &str, acceptor: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.link, &transcript(side, dialer, acceptor)))
    }

    /// Whether that proves it. Takes the same time whatever is wrong.
    pub(crate) fn is_proof(&self, proof: &str, side: &str, dialer: &str, acceptor: &str) -> bool {
        let code = URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        hmac::verify(&self.link, &transcript(side, dialer, acceptor), &code).is_ok()
    }

    pub(crate) fn token(&self, node: &NodeId, role: Role, now_ms: u64) -> String {
        let payload = serde_json::to_vec(&Payload { n: node.clone(), r: role, t: now_ms }).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let code = hmac::sign(&self.token, payload.as_bytes());
        format!("{payload}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    /// What stands for a node where its name would tell too much: [`MARK_DIGITS`] hexadecimal digits.
    pub(crate) fn mark(&self, node: &NodeId) -> String {
        let code = hmac::sign(&self.mark, node.as_str().as_bytes());
        code.as_ref().iter().take(MARK_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whom a token is from. `now_of` tells the time by that node's clock.
    pub(crate) fn recognise(&self, token: &str, now_of: impl FnOnce(&NodeId) -> u64) -> Option<Claim> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (payload, code) = token.split_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        hmac::verify(&self.token, payload.as_bytes(), &code).ok()?;
        let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        (now_of(&payload.n).abs_diff(payload.t) <= TOKEN_MS).then_some(Claim { node: payload.n, role: payload.r })
    }
}

/// Each part with its length before it, so that no two handshakes have the same.
fn transcript(side: &str, dialer: &str, acceptor: &str) -> Vec<u8> {
    let parts = [side, dialer, acceptor];
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Keys {
        Keys::new(&Secret::new(secret))
    }

    #[test]
    fn a_token_is_good_for_a_minute_and_only_under_its_secret() {
        let (keys, other) = (keys("0123456789abcdef"), keys("0123456789abcdeg"));
        let node = NodeId::new("edge-1").unwrap();
        let token = keys.token(&node, Role::Edge, 1_000_000);
        let claim = Some(Claim { node, role: Role::Edge });
        for (now, expected) in [(1_000_000, &claim), (1_060_000, &claim), (1_060_001, &None), (939_999, &None)] {
            assert_eq!(&keys.recognise(&token, |_| now), expected, "{now}");
        }
        assert_eq!(other.recognise(&token, |_| 1_000_000), None);
        let forged = other.token(&NodeId::new("edge-1").unwrap(), Role::Origin, 1_000_000);
        let (payload, code) = (forged.split_once('.').unwrap().0, token.split_once('.').unwrap().1);
        for bad in [format!("{payload}.{code}"), String::new(), ".".into(), "a".repeat(9_999), token.replace('.', "")] {
            assert_eq!(keys.recognise(&bad, |_| 1_000_000), None, "{bad}");
        }
    }

    #[test]
    fn a_node_has_one_mark_under_a_secret_that_does_not_tell_its_name() {
        let (keys, other) = (keys("0123456789abcdef"), keys("0123456789abcdeg"));
        let [one, two] = ["edge-1", "edge-2"].map(|name| NodeId::new(name).unwrap());
        let mark = keys.mark(&one);
        assert!(mark.len() == MARK_DIGITS && mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{mark}");
        assert_eq!(mark, keys.mark(&one));
        assert!(mark != keys.mark(&two) && mark != other.mark(&one));
    }

    #[test]
    fn a_proof_is_good_for_one_side_of_one_handshake() {
        let keys = keys("0123456789abcdef");
        let proof = keys.prove("dialer", "a", "bc");
        assert!(keys.is_proof(&proof, "dialer", "a", "bc"));
        for (side, a, b) in [("acceptor", "a", "bc"), ("dialer", "ab", "c"), ("dialer", "bc", "a")] {
            assert!(!keys.is_proof(&proof, side, a, b));
        }
        assert!(!keys.is_proof("", "dialer", "a", "bc"));
    }
}
