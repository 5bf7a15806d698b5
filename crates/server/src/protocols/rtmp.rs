//! RTMP, RTMPS and HTTP-FLV.

mod flv;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use headwater_control::{Metric, Record, Source};
use headwater_net::{Identity, TlsAcceptor};
use headwater_rtmp::{RtmpConfig, serve, serve_tls};

use super::{Context, Protocol};
use crate::{
    config::{Complaint, Listener, Section, Transport, half_identity, section::section},
    error::StartError,
};

section! {
    /// RTMP: what OBS, ffmpeg and most encoders send, and what many players take.
    pub(crate) struct RtmpSection, "rtmp" {
        /// Whether RTMP is served.
        enabled: bool = true;
        /// The address for RTMP, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The TCP port for RTMP.
        port: u16 = 1935;
        /// The size of the chunks that the server sends, in bytes.
        chunk_bytes: u32 = 65_536, in 128..=16_777_215;
        /// How long media for RTMP and HTTP-FLV viewers is gathered before it is written, in milliseconds; 0 sends each frame at once, 100 to 350 costs that much latency and much less CPU.
        merge_window_ms: u64 = 0, in 0..=2_000;
    }
}

section! {
    /// RTMP over TLS.
    pub(crate) struct RtmpsSection, "rtmps" {
        /// Whether RTMPS is served.
        enabled: bool = true;
        /// The address for RTMPS, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The TCP port for RTMPS.
        port: u16 = 1936;
        /// A file with the certificate chain in PEM, where RTMPS has another certificate than [tls] says.
        certificate: Option<PathBuf> = None;
        /// A file with the private key of the certificate in PEM.
        key: Option<PathBuf> = None;
    }
}

section! {
    /// HTTP-FLV: http://HOST:8080/NAME.flv on the ports of the web server. Players that know enhanced FLV get Opus as it is when they ask for NAME.flv?enhanced=1.
    pub(crate) struct FlvSection, "http_flv" {
        /// Whether HTTP-FLV is served.
        enabled: bool = true;
    }
}

/// The `rtmp` crate in the server.
#[derive(Default)]
pub(super) struct Rtmp {
    rtmp: RtmpSection,
    rtmps: RtmpsSection,
    flv: FlvSection,
}

impl Protocol for Rtmp {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.rtmp, &self.rtmps, &self.flv]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.rtmp, &mut self.rtmps, &mut self.flv]
    }

    fn listeners(&self, address: IpAddr) -> Vec<Listener> {
        let plain = self.rtmp.enabled.then(|| Listener {
            what: "RTMP",
            address: SocketAddr::new(self.rtmp.address.unwrap_or(address), self.rtmp.port),
            transport: Transport::Tcp,
            section: "rtmp",
            key: "port",
        });
        let tls = self.rtmps.enabled.then(|| Listener {
            what: "RTMPS",
            address: SocketAddr::new(self.rtmps.address.unwrap_or(address), self.rtmps.port),
            transport: Transport::Tcp,
            section: "rtmps",
            key: "port",
        });
        plain.into_iter().chain(tls).collect()
    }

    fn complaints(&self) -> Vec<Complaint> {
        half_identity("rtmps", &self.rtmps.certificate, &self.rtmps.key).into_iter().collect()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let config = RtmpConfig { merge_window_ms: self.rtmp.merge_window_ms, chunk_size: self.rtmp.chunk_bytes };
        let sessions = headwater_rtmp::Context::with_gates(context.hub.clone(), config, context.gates.clone());
        context.offered.insert(sessions.clone());
        context.add_source(Arc::new(RtmpSource(sessions.clone())));
        for listener in self.listeners(context.address) {
            let acceptor = if listener.section == "rtmps" { Some(self.acceptor(context)?) } else { None };
            let opened = context.listen(&listener)?;
            let (sessions, stopping) = (sessions.clone(), context.stopping.clone());
            match acceptor {
                Some(acceptor) => context.tasks.spawn(serve_tls(opened, acceptor, sessions, stopping)),
                None => context.tasks.spawn(serve(opened, sessions, stopping)),
            };
        }
        if self.flv.enabled {
            context.routes.add(flv::is_flv, flv::router(sessions));
        }
        Ok(())
    }
}

impl Rtmp {
    fn acceptor(&self, context: &Context) -> Result<TlsAcceptor, StartError> {
        let (Some(certificate), Some(key)) = (&self.rtmps.certificate, &self.rtmps.key) else {
            return context.tls("RTMPS", &[]);
        };
        let identity = Identity::Files { certificate: certificate.clone(), key: key.clone() };
        let acceptor = TlsAcceptor::new(&identity, &[]).map_err(|error| StartError::Protocol {
            what: "RTMPS",
            reason: error.to_string(),
            section: "rtmps",
            place: context.place("rtmps", "certificate"),
        })?;
        context.spawn(acceptor.clone().keep_fresh());
        Ok(acceptor)
    }
}

/// What the crate counts.
struct RtmpSource(headwater_rtmp::Context);

/// Counts of what there is now; all others only grow.
const NOW: [&str; 5] = ["connections", "arriving", "publishers", "viewers", "together"];

impl Source for RtmpSource {
    fn metrics(&self) -> Vec<Metric> {
        let counters = self.0.counters().list();
        let metrics = counters.into_iter().map(|(name, what, _)| {
            let metric = if NOW.contains(&name) { Metric::gauge } else { Metric::counter };
            metric(metric_name(name), what)
        });
        metrics.collect()
    }

    fn read(&self, record: &mut Record<'_>) {
        for (name, _, value) in self.0.counters().list() {
            record(&metric_name(name), "", value as f64);
        }
    }
}

/// Totals get their ending from the metrics themselves.
fn metric_name(name: &str) -> String {
    match name.strip_suffix("_total") {
        Some(name) => format!("rtmp_{name}_opened"),
        None => format!("rtmp_{name}"),
    }
}
