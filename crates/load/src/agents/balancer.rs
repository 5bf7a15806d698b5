//! Asking which server to play from, as pages of the Web SDK of WCS do (`lbUrl`).

use http::Method;
use serde::Deserialize;

use super::{Seat, http as requests};
use crate::{Failure, failure::Reason, plan::Protocol, worker::Worker};

/// What a balancer answers.
#[derive(Deserialize)]
struct Named {
    server: String,
    ws: u16,
    wss: u16,
    flash: u16,
}

/// The same seat at the server that the balancer names.
///
/// # Errors
/// The balancer does not answer, or names none.
pub(super) async fn place(seat: &Seat, worker: &Worker) -> Result<Seat, Failure> {
    let target = &seat.target;
    let url = target.balancer.as_ref().unwrap_or(&target.url);
    let reply = requests::ask(worker, target, url, Method::GET, "").await?;
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Reason::Protocol, format!("no server is named: {error}"));
    let named: Named = serde_json::from_str(&reply.body).map_err(|error| wrong(&error))?;
    let port = match (target.protocol, target.is_secure()) {
        (Protocol::Rtmp, _) => named.flash,
        (_, true) => named.wss,
        (_, false) => named.ws,
    };
    let target = target.at(&named.server, port).map_err(|error| wrong(&error))?;
    Ok(Seat { target, plays: seat.plays, presence: seat.presence.clone(), stop: seat.stop.clone() })
}
