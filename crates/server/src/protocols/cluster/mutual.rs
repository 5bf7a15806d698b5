//! TLS between nodes: the certificate of `[tls]`, and where the operator wants it, certificates of both sides.

use std::path::Path;

use headwater_cluster::Cluster;
use headwater_control::Hosts;
use headwater_net::{Dialer, TlsAcceptor, TlsError};

use super::{Clustered, Context};
use crate::{
    error::StartError,
    http::{self, Front},
};

const WHAT: &str = "the cluster";

impl Clustered {
    /// What other servers do their handshakes with, if they are to use TLS.
    pub(super) fn acceptor(&self, context: &Context) -> Result<Option<TlsAcceptor>, StartError> {
        if !self.0.tls {
            return Ok(None);
        }
        match self.authorities_of_nodes() {
            None => context.tls(WHAT, &[b"http/1.1"]).map(Some),
            Some(authorities) => {
                let made = context.certificates.mutual(&[b"http/1.1"], authorities);
                let acceptor = made.map_err(|error| self.unusable(context, &error))?;
                context.spawn(acceptor.clone().keep_fresh());
                Ok(Some(acceptor))
            }
        }
    }

    /// What links to other servers are dialled with: where they ask for a certificate, by one that shows it.
    pub(super) fn links(
        &self,
        context: &Context,
        dialer: &Dialer,
        acceptor: Option<&TlsAcceptor>,
    ) -> Result<Dialer, StartError> {
        match (self.authorities_of_nodes(), acceptor) {
            (Some(authorities), Some(acceptor)) => {
                dialer.mutual(authorities, acceptor).map_err(|error| self.unusable(context, &error))
            }
            _ => Ok(dialer.clone()),
        }
    }

    /// Where the certificates of nodes come from, if they have to show some. That they come from somewhere then is
    /// checked before the start.
    fn authorities_of_nodes(&self) -> Option<&Path> {
        self.0.authorities.as_deref().filter(|_| self.0.mutual_tls)
    }

    fn unusable(&self, context: &Context, error: &TlsError) -> StartError {
        self.failed(context, "authorities", error.to_string())
    }

    /// Other servers have a port of their own, so that it can be kept from everybody else.
    pub(super) fn listen(
        &self,
        context: &mut Context,
        cluster: &Cluster,
        acceptor: Option<TlsAcceptor>,
    ) -> Result<(), StartError> {
        let listener = context.listen(&self.listener(context.address))?;
        let front = Front::new(cluster.router(), Default::default(), Hosts::default());
        let (stopping, tasks) = (context.stopping.clone(), context.tasks.clone());
        context.tasks.spawn(http::serve(listener, acceptor, front, stopping, tasks));
        Ok(())
    }
}
