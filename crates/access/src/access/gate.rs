//! The gate that asks publishers and viewers for the credentials of this server.

use std::net::IpAddr;

use headwater_graph::BoxFuture;

use super::Access;
use crate::{
    asking::{Asking, Client, Credentials},
    gate::{Gate, Ticket, Visitor},
    refused::Refused,
};

/// Everybody may come: which credentials are good depends on the stream, so they are looked at when one is asked for.
impl Gate for Access {
    fn connect<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let visitor = Bearer {
            access: self.clone(),
            remote: client.peer.remote.map(|remote| remote.ip()),
            credentials: client.credentials.clone(),
            session: client.peer.session.clone(),
            protocol: client.peer.protocol,
        };
        Box::pin(std::future::ready(Ok(Box::new(visitor) as Box<dyn Visitor>)))
    }
}

/// A peer with what it brought when it connected.
struct Bearer {
    access: Access,
    remote: Option<IpAddr>,
    credentials: Credentials,
    session: String,
    protocol: &'static str,
}

impl Visitor for Bearer {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        Box::pin(async move {
            let credentials = [&asking.credentials, &self.credentials];
            let (action, stream, session, protocol) = (asking.action, &asking.stream, &self.session, self.protocol);
            let remote = self.remote.map(tracing::field::display);
            match self.access.admit(self.remote, &credentials, action, stream).await {
                Ok(Some(caller)) => {
                    tracing::info!(protocol, session, %stream, ?action, by = caller.name, "let in");
                    Ok(Ticket::plain())
                }
                Ok(None) => Ok(Ticket::plain()),
                Err(refused) => {
                    let reason = refused.sentence.as_str();
                    tracing::info!(protocol, session, remote, %stream, ?action, reason, "not let in");
                    Err(refused)
                }
            }
        })
    }
}
