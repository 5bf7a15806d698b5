//! What a token says, and whether that holds here and now.

use std::time::{SystemTime, UNIX_EPOCH};

use headwater_media::limits;
use serde::Deserialize;

use crate::{caller::Caller, rules::Pattern};

/// What tokens have to say to be for this server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) audience: Option<String>,
    pub(crate) issuer: Option<String>,
    /// How far the clocks of both may be apart, in seconds.
    pub(crate) leeway_s: u64,
}

/// The claims of a token that are looked at; others are ignored.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    #[serde(default)]
    aud: OneOrMore,
    iss: Option<String>,
    sub: Option<String>,
    #[serde(default)]
    publish: OneOrMore,
    #[serde(default)]
    play: OneOrMore,
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> OneOrMore {
        OneOrMore::More(Vec::new())
    }
}

impl OneOrMore {
    fn all(&self) -> &[String] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(all) => all,
        }
    }
}

impl Claims {
    /// What the token allows; the error ends the sentence "the token …".
    pub(crate) fn check(&self, terms: &Terms, now: SystemTime) -> Result<Caller, &'static str> {
        self.check_time(terms.leeway_s as f64, now)?;
        self.check_names(terms)?;
        let role = self.role.as_deref().map(str::parse).transpose().map_err(|_| "names a role that there is not")?;
        let name = self.sub.clone().unwrap_or_else(|| "bearer of a token".to_owned());
        Ok(Caller { name, role, publish: patterns(&self.publish)?, play: patterns(&self.play)? })
    }

    fn check_time(&self, leeway: f64, now: SystemTime) -> Result<(), &'static str> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let exp = self.exp.ok_or("does not say when it expires (exp)")?;
        if now >= exp + leeway {
            return Err("has expired");
        }
        let begins = [self.nbf, self.iat].into_iter().flatten();
        if !begins.into_iter().all(|begin| begin - leeway <= now) {
            return Err("is not valid yet");
        }
        Ok(())
    }

    fn check_names(&self, terms: &Terms) -> Result<(), &'static str> {
        let is_meant = match &terms.audience {
            Some(audience) => self.aud.all().contains(audience),
            None => self.aud.all().is_empty(),
        };
        if !is_meant {
            return Err("is for somebody else (aud)");
        }
        if terms.issuer.is_some() && terms.issuer != self.iss {
            return Err("is from somebody else (iss)");
        }
        Ok(())
    }
}

fn patterns(texts: &OneOrMore) -> Result<Vec<Pattern>, &'static str> {
    let texts = texts.all();
    if texts.len() > limits::ACCESS_TOKEN_RIGHTS.get_usize() {
        limits::ACCESS_TOKEN_RIGHTS.hit();
        return Err("holds too many patterns of streams");
    }
    texts
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map_err(|_| "holds a pattern of streams that is none")
}
