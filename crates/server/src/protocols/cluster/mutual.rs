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
            let reason = "mutual_tls needs TLS, and tls is false: leave out one of the two";
            let is_possible = !self.0.mutual_tls;
            return is_possible.then_some(None).ok_or_else(|| self.failed(context, "mutual_tls", reason.to_owned()));
        }
        match self.authorities_of_nodes(context)? {
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
        match (self.authorities_of_nodes(context)?, acceptor) {
            (Some(authorities), Some(acceptor)) => {
                dialer.mutual(authorities, acceptor).map_err(|error| self.unusable(context, &error))
            }
            _ => Ok(dialer.clone()),
        }
    }

    /// Where the certificates of nodes come from, if they have to show some.
    fn authorities_of_nodes(&self, context: &Context) -> Result<Option<&Path>, StartError> {
        match (self.0.mutual_tls, &self.0.authorities) {
            (false, _) => Ok(None),
            (true, Some(path)) => Ok(Some(path)),
            (true, None) => {
                let reason =
                    "mutual_tls needs authorities: the file with the certificate that those of all nodes come from";
                Err(self.failed(context, "mutual_tls", reason.to_owned()))
            }
        }
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
