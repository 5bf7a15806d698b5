//! What signalling asks of a shard.

use headwater_graph::{Publication, Subscription};
use headwater_net::Permit;
use tokio::sync::oneshot;

use crate::{
    Fragment, Offer, PublishOptions, RenditionChoice,
    call::CallRequest,
    error::{PublishError, ViewError},
    session::{Accepted, Ended, Place},
};

/// What a shard is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take a viewer in.
    View(Box<ViewRequest>),
    /// Take a publisher in.
    Publish(Box<PublishRequest>),
    /// Take up a session that this side has begun.
    Call(Box<CallRequest>),
    /// Begin ICE anew.
    Restart { place: Place, fragment: Box<Fragment>, answer: oneshot::Sender<String> },
    /// Give a viewer another rendition.
    Choose { place: Place, choice: RenditionChoice },
    /// Have a publisher end if it has vanished, for another that wants its name; say whether it did.
    MakeWay { place: Place, answer: oneshot::Sender<bool> },
    /// End a session.
    End { place: Place, ended: Ended },
    /// End all sessions and then the shard.
    Stop,
}

/// A viewer that wants to be taken in.
#[derive(Debug)]
pub(crate) struct ViewRequest {
    pub(crate) offer: Offer,
    pub(crate) subscription: Subscription,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Accepted, ViewError>>,
}

/// A publisher that wants to be taken in.
#[derive(Debug)]
pub(crate) struct PublishRequest {
    pub(crate) offer: Offer,
    pub(crate) publication: Publication,
    pub(crate) options: PublishOptions,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Accepted, PublishError>>,
}
