//! `sendmmsg` with segmentation offload and a source address.
//!
//! A call for each viewer costs the way into the kernel and back each time. `quinn-udp` makes one call for each
//! destination; `rustix` knows the call but not these control messages; `nix` knows both, but does not say how many
//! messages were taken.
#![allow(unsafe_code, reason = "no library has this call with what it needs")]

use std::{
    io::{self, IoSlice},
    mem,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use smallvec::SmallVec;
use socket2::SockAddr;

use crate::Volley;

/// One of the messages of a call.
pub(super) struct Message<'a> {
    pub(super) to: SocketAddr,
    pub(super) bytes: &'a [u8],
}

/// What is said about all messages of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The size of the datagrams that each message is cut into, if it is to be cut.
    pub(super) segment: Option<u16>,
    /// The address they leave from; of the family of the socket.
    pub(super) source: Option<IpAddr>,
}

/// The control messages of a call, as the kernel wants them (cmsg(3)).
#[repr(align(8))]
struct Control {
    bytes: [u8; Control::BYTES],
    length: usize,
}

impl Control {
    const WORD: usize = size_of::<usize>();
    /// Of two headers, and room for what they carry.
    const BYTES: usize = 96;

    fn about(about: About) -> Control {
        let mut control = Control { bytes: [0; Control::BYTES], length: 0 };
        if let Some(segment) = about.segment {
            control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        match about.source {
            // in_pktinfo: any interface, the source, and nothing that is read on the way out.
            Some(IpAddr::V4(ip)) => {
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            // in6_pktinfo: the source, any interface.
            Some(IpAddr::V6(ip)) => {
                let mut info = [0; 20];
                info[..16].copy_from_slice(&ip.octets());
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        control
    }

    /// Adds a message: its length, of a machine's word, its level and its kind, and what it carries, up to the next
    /// word.
    fn push(&mut self, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        let header = size_of::<libc::cmsghdr>().next_multiple_of(Self::WORD);
        let length = (header + data.len()).to_ne_bytes();
        self.put(0, &length);
        self.put(header - 8, &level.to_ne_bytes());
        self.put(header - 4, &kind.to_ne_bytes());
        self.put(header, data);
        self.length += header + data.len().next_multiple_of(Self::WORD);
    }

    fn put(&mut self, place: usize, part: &[u8]) {
        let start = self.length + place;
        if let Some(slice) = self.bytes.get_mut(start..start + part.len()) {
            slice.copy_from_slice(part);
        }
    }
}

/// Sends the messages in their order, and says how many of them the kernel took: at least one.
///
/// # Errors
/// What the kernel says of the first.
pub(super) fn send_messages<'a>(
    socket: BorrowedFd<'_>,
    messages: impl Iterator<Item = Message<'a>>,
    about: About,
) -> io::Result<usize> {
    let (mut addresses, mut slices) = (Few::<SockAddr>::new(), Few::<IoSlice<'a>>::new());
    for message in messages.take(Volley::BURSTS_MAX) {
        addresses.push(message.to.into());
        slices.push(IoSlice::new(message.bytes));
    }
    let control = Control::about(about);
    let mut headers: Few<libc::mmsghdr> = addresses
        .iter()
        .zip(&slices)
        .map(|(address, slice)| {
            // SAFETY: a header of C, for which zeros are null pointers and no lengths.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
            // An `IoSlice` is an `iovec` (its documentation promises so).
            header.msg_hdr.msg_iov = ptr::from_ref(slice).cast_mut().cast();
            header.msg_hdr.msg_iovlen = 1;
            if control.length > 0 {
                header.msg_hdr.msg_control = control.bytes.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_controllen = control.length as _;
            }
            header
        })
        .collect();
    let count = headers.len() as libc::c_uint;
    // SAFETY: `headers` are as many as it is said; what they point to, `addresses`, `slices` with what those borrow, and
    // `control`, lives until the end of this function and is not moved. The kernel only reads it, and writes to
    // `headers`, which are borrowed mutably, how much of each was sent.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// As many as there are in a call.
type Few<T> = SmallVec<[T; Volley::BURSTS_MAX]>;

#[cfg(test)]
mod tests {
    use super::*;

    /// As the headers of C say it, on a machine of 64 bits.
    #[test]
    #[cfg(all(target_pointer_width = "64", target_endian = "little"))]
    fn control_messages_are_laid_out_as_the_kernel_reads_them() {
        let about = |segment, source: Option<&str>| {
            let control = Control::about(About { segment, source: source.map(|ip| ip.parse().unwrap()) });
            control.bytes[..control.length].to_vec()
        };
        assert_eq!(about(None, None), []);
        let segment = [18, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 103, 0, 0, 0, 0xb0, 0x04, 0, 0, 0, 0, 0, 0];
        assert_eq!(about(Some(1_200), None), segment);
        let source =
            [28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(about(None, Some("192.0.2.1")), source);
        assert_eq!(about(Some(1_200), Some("192.0.2.1")), [segment.as_slice(), &source].concat());
        let wide = about(None, Some("2001:db8::1"));
        assert_eq!(wide[..20], [36, 0, 0, 0, 0, 0, 0, 0, 41, 0, 0, 0, 50, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!((wide[31], wide.len()), (1, 40));
        assert!(about(Some(1), Some("::1")).len() <= Control::BYTES);
    }
}
