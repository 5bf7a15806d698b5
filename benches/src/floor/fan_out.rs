//! The shortest way from a frame's packets to many viewers: copy, seal, send; no protocol at all.

use std::{
    io::IoSlice,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use anyhow::{Context, Result};
use aws_lc_rs::aead::Algorithm;
use quinn_udp::{Transmit, UdpSocketState};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, addr::SocketAddrArg, sendmmsg};

use super::seal::{HEADER_BYTES, Sealer, write_packet};

/// Datagrams of one sendmmsg.
const BATCH: usize = 64;

/// The system call in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// `sendmmsg` of up to 64 datagrams for any destinations.
    Batch,
    /// One call per viewer with segmentation offload.
    Offload,
}

/// Sends packets to all viewers.
pub(crate) struct FanOut {
    socket: UdpSocket,
    state: UdpSocketState,
    viewers: Vec<Viewer>,
    sending: Sending,
    slab: Vec<u8>,
    sequence: u16,
}

struct Viewer {
    address: SocketAddr,
    wire_address: SocketAddrAny,
    sealer: Option<Sealer>,
}

/// A datagram in the slab.
struct Written {
    viewer: usize,
    from: usize,
    to: usize,
}

impl FanOut {
    /// A fan-out with a key for each viewer, or without sealing.
    pub(crate) fn new(
        addresses: &[SocketAddr],
        algorithm: Option<&'static Algorithm>,
        sending: Sending,
    ) -> Result<FanOut> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = UdpSocketState::new((&socket).into())?;
        socket.set_nonblocking(false)?;
        let viewers = addresses
            .iter()
            .map(|address| {
                Ok(Viewer {
                    address: *address,
                    wire_address: address.as_any(),
                    sealer: algorithm.map(Sealer::new).transpose()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(FanOut { socket, state, viewers, sending, slab: vec![0; BATCH * 2_048], sequence: 0 })
    }

    /// Sends a burst of payloads to every viewer, viewer by viewer.
    pub(crate) fn send(&mut self, burst: &[&[u8]]) -> Result<()> {
        match self.sending {
            Sending::Batch => self.send_in_batches(burst)?,
            Sending::Offload => self.send_with_offload(burst)?,
        }
        self.sequence = self.sequence.wrapping_add(burst.len() as u16);
        Ok(())
    }

    fn send_in_batches(&mut self, burst: &[&[u8]]) -> Result<()> {
        let mut batch: Vec<Written> = Vec::with_capacity(BATCH);
        for viewer in 0..self.viewers.len() {
            for (index, payload) in burst.iter().enumerate() {
                let from = batch.last().map_or(0, |written| written.to);
                let to = self.write(viewer, index, from, payload)?;
                batch.push(Written { viewer, from, to });
                if batch.len() == BATCH {
                    self.flush(&mut batch)?;
                }
            }
        }
        self.flush(&mut batch)
    }

    fn send_with_offload(&mut self, burst: &[&[u8]]) -> Result<()> {
        for viewer in 0..self.viewers.len() {
            let mut end = 0;
            let mut segment = 0;
            for (index, payload) in burst.iter().enumerate() {
                let to = self.write(viewer, index, end, payload)?;
                segment = segment.max(to - end);
                end = to;
            }
            let transmit = Transmit {
                destination: self.viewers[viewer].address,
                ecn: None,
                contents: &self.slab[..end],
                segment_size: Some(segment),
                src_ip: None,
            };
            self.state.try_send((&self.socket).into(), &transmit)?;
        }
        Ok(())
    }

    /// Writes one datagram into the slab and says where it ends.
    fn write(&mut self, viewer: usize, index: usize, from: usize, payload: &[u8]) -> Result<usize> {
        let sequence = self.sequence.wrapping_add(index as u16);
        match &self.viewers[viewer].sealer {
            Some(sealer) => {
                let to = from + sealer.sealed_bytes(payload.len());
                sealer.seal(&mut self.slab[from..to], sequence, payload)?;
                Ok(to)
            }
            None => {
                let to = from + HEADER_BYTES + payload.len();
                write_packet(&mut self.slab[from..to], sequence, payload);
                Ok(to)
            }
        }
    }

    fn flush(&self, batch: &mut Vec<Written>) -> Result<()> {
        let slices: Vec<[IoSlice<'_>; 1]> =
            batch.iter().map(|written| [IoSlice::new(&self.slab[written.from..written.to])]).collect();
        let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
            batch.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<MMsgHdr<'_>> = batch
            .iter()
            .zip(&slices)
            .zip(&mut controls)
            .map(|((written, slice), control)| {
                MMsgHdr::new_with_addr(&self.viewers[written.viewer].wire_address, slice, control)
            })
            .collect();
        let mut left: &mut [MMsgHdr<'_>] = &mut messages;
        while !left.is_empty() {
            let sent = sendmmsg(&self.socket, left, SendFlags::empty()).context("sendmmsg")?;
            left = left.get_mut(sent.max(1)..).unwrap_or_default();
        }
        batch.clear();
        Ok(())
    }
}
