//! Figures of the machine that belong to no protocol.

use std::{fs, net::SocketAddr};

use headwater_control::{Metric, Node, Record, Source};

/// What the kernel has dropped of what came for these UDP sockets.
pub(crate) struct UdpSource(pub(crate) Vec<SocketAddr>);

impl Source for UdpSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::counter(
            "udp_kernel_drops",
            "Datagrams that the kernel dropped because the receive buffer of their socket was full.",
        )]
    }

    fn read(&self, record: &mut Record<'_>) {
        let drops: Vec<u64> = self.0.iter().filter_map(|address| headwater_net::kernel_drops(*address)).collect();
        if !drops.is_empty() {
            record("udp_kernel_drops", "", drops.iter().sum::<u64>() as f64);
        }
    }
}

/// This node. Without a name in the configuration it is called as the machine is.
pub(crate) fn node(name: &str) -> Node {
    let machine = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let name = if name.is_empty() { machine() } else { name.to_owned() };
    Node { name, ..Node::default() }
}
