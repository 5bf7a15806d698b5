//! A gate for the tests of protocols, which does as the names say that it is asked about.

use std::sync::Arc;

use headwater_graph::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    asking::{Asking, Client, Credentials, Facts},
    gate::{Change, Gate, Pass, Ticket, Visitor},
    gates::Gates,
    refused::{Refused, Why},
    secret::Secret,
};

/// Lets in all but some. Cloning is cheap.
///
/// | name | what happens |
/// |---|---|
/// | application `closed` | it is forbidden to connect |
/// | application or stream `slow…` | nothing, until [`decide`](Self::decide) |
/// | stream `secret` | it is forbidden |
/// | stream `locked` | it needs the token `open` |
/// | stream `busy`, `down` | too many have failed; nobody could be asked |
/// | stream `alias/NAME` | it is `NAME` |
/// | data of which `payload` is `no` | it is forbidden |
#[derive(Clone, Debug, Default)]
pub struct Doorman(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    log: watch::Sender<Vec<String>>,
    seen: Mutex<Vec<Facts>>,
    decided: watch::Sender<bool>,
    revoked: watch::Sender<bool>,
}

impl Doorman {
    /// Gates of which this is the only one.
    pub fn gates(&self) -> Gates {
        Gates::new([Arc::new(self.clone()) as Arc<dyn Gate>])
    }

    /// What it has been asked and told, in order, each in a few words.
    pub fn log(&self) -> Vec<String> {
        self.0.log.borrow().clone()
    }

    /// The facts of all that it has been asked, in order.
    pub fn seen(&self) -> Vec<Facts> {
        self.0.seen.lock().clone()
    }

    /// Waits until it has been asked or told this. Never ends if it is not.
    pub async fn until(&self, entry: &str) {
        let _ = self.0.log.subscribe().wait_for(|log| log.iter().any(|found| found == entry)).await;
    }

    /// Decides about all that is slow.
    pub fn decide(&self) {
        self.0.decided.send_replace(true);
    }

    /// Takes back its leave for all streams.
    pub fn revoke(&self) {
        self.0.revoked.send_replace(true);
    }

    fn note(&self, entry: String) {
        self.0.log.send_modify(|log| log.push(entry));
    }

    async fn think(&self, name: &str) {
        if name.starts_with("slow") {
            let _ = self.0.decided.subscribe().wait_for(|decided| *decided).await;
        }
    }
}

fn forbidden(sentence: &str) -> Refused {
    Refused::new(Why::Forbidden, sentence)
}

fn shown(credentials: &Credentials) -> String {
    let token = credentials.token.as_ref().map(|token| format!(" token {}", token.reveal()));
    let user = credentials.user.as_ref().map(|(user, password)| format!(" user {user}:{}", password.reveal()));
    let known = ["token", "user", "pass", "appKey"];
    let others = credentials.parameters.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let others = others.map(|(name, value)| format!(" {name}={}", value.reveal()));
    token.into_iter().chain(user).chain(others).collect()
}

impl Gate for Doorman {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        Box::pin(async move {
            let app = client.app_key.as_deref().unwrap_or("none");
            self.note(format!("connect {app}{}", shown(&client.credentials)));
            self.0.seen.lock().push(client.facts.clone());
            self.think(app).await;
            if app == "closed" {
                return Err(forbidden("the application is closed"));
            }
            Ok(Box::new(Guest { doorman: self.clone(), credentials: client.credentials.clone() }) as Box<dyn Visitor>)
        })
    }
}

struct Guest {
    doorman: Doorman,
    credentials: Credentials,
}

impl Visitor for Guest {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(async move {
            let name = asking.stream.as_str();
            self.doorman.note(format!("{:?} {name}{}", asking.action, shown(&asking.credentials)));
            self.doorman.0.seen.lock().push(asking.facts.clone());
            self.doorman.think(name).await;
            let token = asking.credentials.token.as_ref().or(self.credentials.token.as_ref()).map(Secret::reveal);
            match name {
                "secret" => return Err(forbidden("the stream is secret")),
                "locked" if token != Some("open") => return Err(Refused::new(Why::Unknown, "it needs a token")),
                "busy" => return Err(Refused::new(Why::TooMany, "too many have failed")),
                "down" => return Err(Refused::new(Why::Unavailable, "nobody could be asked")),
                _ => {}
            }
            let stream = name.strip_prefix("alias/").and_then(|name| name.parse().ok());
            let seat = Seat { doorman: self.doorman.clone(), name: name.to_owned() };
            Ok(Ticket { stream, facts: Facts::new(), pass: Box::new(seat) })
        })
    }

    fn ask<'a>(&'a self, what: &'a str, facts: &'a Facts) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let payload = facts.get("payload").and_then(|payload| payload.as_str()).unwrap_or_default();
            self.doorman.note(format!("{what} {payload}"));
            self.doorman.think(payload).await;
            if payload == "no" { Err(forbidden("the application wants none of it")) } else { Ok(()) }
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.doorman.note("gone".to_owned());
    }
}

struct Seat {
    doorman: Doorman,
    name: String,
}

impl Pass for Seat {
    fn tell(&self, change: &Change) {
        let info = change.info.as_ref().map(|info| format!(": {info}")).unwrap_or_default();
        self.doorman.note(format!("{} {}{info}", self.name, change.status));
        self.doorman.0.seen.lock().push(change.facts.clone());
    }

    fn revoked(&self) -> BoxFuture<'_, Refused> {
        Box::pin(async move {
            let _ = self.doorman.0.revoked.subscribe().wait_for(|revoked| *revoked).await;
            forbidden("the leave has been taken back")
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.doorman.note(format!("{} over", self.name));
    }
}
