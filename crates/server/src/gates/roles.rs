//! What a server of each role does for clients.

use std::sync::{Arc, OnceLock};

use headwater_access::{Action, Asking, Client, Gate, Refused, Ticket, Visitor, Why};
use headwater_cluster::Role;
use headwater_graph::BoxFuture;

/// A gate: who may publish and play where. Other nodes do not come to it. Without a cluster it lets everybody in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles(Arc<OnceLock<Duty>>);

/// What a server is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duty {
    pub(crate) role: Role,
    /// Whether clients may publish on origins only.
    pub(crate) is_strict: bool,
}

impl Roles {
    /// Once it is known what the server is for. The first call counts.
    pub(crate) fn set(&self, duty: Duty) {
        let _ = self.0.set(duty);
    }
}

impl Duty {
    fn refusal(self, action: Action) -> Option<&'static str> {
        match (self.role, action) {
            (Role::Transcoder, _) => {
                Some("this server is a transcoder, which has no clients; publish to an origin, and play from an edge")
            }
            (Role::Edge, Action::Publish) if self.is_strict => {
                Some("this server is an edge, to which nobody publishes; publish to an origin")
            }
            _ => None,
        }
    }
}

impl Gate for Roles {
    fn connect<'a>(&'a self, _client: &'a Client) -> BoxFuture<'a, Result<Box<dyn Visitor>, Refused>> {
        let visitor: Box<dyn Visitor> = Box::new(self.clone());
        Box::pin(std::future::ready(Ok(visitor)))
    }
}

impl Visitor for Roles {
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Ticket, Refused>> {
        let refused = self.0.get().and_then(|duty| duty.refusal(asking.action));
        let refused = refused.map(|sentence| Refused::new(Why::Forbidden, sentence));
        Box::pin(std::future::ready(refused.map_or_else(|| Ok(Ticket::plain()), Err)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_clients() {
        let refuses = |role, is_strict, action| Duty { role, is_strict }.refusal(action).is_some();
        for action in [Action::Publish, Action::Play] {
            assert!(refuses(Role::Transcoder, false, action));
            assert!(!refuses(Role::Origin, true, action));
            assert!(!refuses(Role::Edge, false, action));
        }
        assert!(refuses(Role::Edge, true, Action::Publish));
        assert!(!refuses(Role::Edge, true, Action::Play));
    }
}
