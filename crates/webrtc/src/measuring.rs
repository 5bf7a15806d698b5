//! What benches call: viewers in memory that watch without a peer, so that what sending costs can be counted alone.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use headwater_graph::{Bell, Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{Codec, Packet, StreamName, TrackKind, limits};
use headwater_net::{Quota, TokioEnvironment, UdpSocket};
use tokio::sync::Notify;

use crate::{
    egress::{Carrier, Path, Remote},
    fuzzing,
    shard::Outbox,
    statistics::Counters,
    viewer::{Outlet, Surroundings, Viewer},
};

/// Packets of a frame, and payload bytes of each but the last, which is shorter.
const FRAME_PACKETS: u64 = 7;
const PAYLOAD_BYTES: usize = 1_172;
const LAST_PAYLOAD_BYTES: usize = 1_000;
/// Frames from one random access point to the next.
const GROUP: u64 = 60;

/// Viewers of one stream of H.264 on the thread of a shard, which have all connected.
///
/// Media is sealed by AES-128-GCM. Time stands still, so reports are not part of what is sent.
#[derive(Debug)]
pub struct Audience {
    viewers: Vec<Viewer>,
    outbox: Outbox,
    counters: Arc<Counters>,
    _publication: Publication,
    lane: LaneWriter<Packet>,
    frames: u64,
    now: Instant,
}

impl Audience {
    /// A viewer for each address to send to. To be called within a runtime of tokio.
    ///
    /// `None` if the machine gives no socket, or the library no keys.
    pub async fn gather(addresses: &[SocketAddr]) -> Option<Audience> {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let name = StreamName::new("measured").ok()?;
        let mut publication = hub.publish(name.clone(), Peer::new("bench", "publisher")).ok()?;
        let lane = publication.add_packets(fuzzing::h264()).ok()?;
        publication.ready();
        let now = Instant::now();
        let bell = Bell::new();
        let mut viewers = Vec::with_capacity(addresses.len());
        for address in addresses {
            viewers.push(viewer(&hub, &name, &bell, *address, now).await?);
        }
        let socket = Rc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).ok()?);
        let counters = Arc::new(Counters::default());
        let outbox = Outbox::new(socket, counters.clone(), Rc::new(Notify::new()));
        Some(Audience { viewers, outbox, counters, _publication: publication, lane, frames: 0, now })
    }

    /// Publishes a frame of seven packets.
    pub fn publish(&mut self) {
        for part in 0..FRAME_PACKETS {
            let is_last = part == FRAME_PACKETS - 1;
            self.lane.push(Packet {
                sequence: self.frames * FRAME_PACKETS + part,
                timestamp: (self.frames * 3_000).cast_signed(),
                marker: is_last,
                random_access: self.frames.is_multiple_of(GROUP) && part == 0,
                orientation: Default::default(),
                payload: vec![7; if is_last { LAST_PAYLOAD_BYTES } else { PAYLOAD_BYTES }].into(),
            });
        }
        self.frames += 1;
    }

    /// Sends what is new to one viewer after the other, as a shard does.
    pub fn deliver(&mut self) {
        let mut around = Surroundings { outbox: &mut self.outbox, counters: &self.counters, now: self.now };
        for index in 0..self.viewers.len() {
            if let Some(next) = self.viewers.get(index + 1) {
                next.prefetch();
            }
            if let Some(viewer) = self.viewers.get_mut(index) {
                viewer.deliver(&mut around);
            }
        }
        self.outbox.flush();
    }

    /// Packets sent so far, and those of them that the socket did not take.
    pub fn sent(&self) -> (u64, u64) {
        let counted = self.counters.read();
        (counted.packets, counted.datagrams_dropped)
    }
}

async fn viewer(hub: &Hub, name: &StreamName, bell: &Bell, address: SocketAddr, now: Instant) -> Option<Viewer> {
    let subscription = hub.subscribe(name, Peer::new("bench", "viewer")).await.ok()?;
    let (mut egress, formats) = fuzzing::egress()?;
    egress.pretend_connected(Path { remote: Remote { carrier: Carrier::Udp, address }, local: None }).ok()?;
    let track = subscription.stream().track(TrackKind::Video)?;
    let mut outlet = Outlet::open(&subscription, track, Codec::H264, formats, bell).ok()?;
    outlet.set_sources(egress.sources().next()?);
    let quota = Quota::new(&limits::WEBRTC_PENDING, &limits::WEBRTC_PENDING_PER_ADDRESS);
    let pending = quota.admit(IpAddr::from(Ipv4Addr::LOCALHOST)).ok()?;
    let mut viewer = Viewer::new(egress, vec![outlet], subscription, bell.clone(), pending, now);
    viewer.pretend_connected();
    Some(viewer)
}
