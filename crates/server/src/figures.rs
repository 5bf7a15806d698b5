//! Figures of the machine that belong to no protocol.

use std::{fs, net::SocketAddr, thread::available_parallelism, time::Instant};

use headwater_access::{Refusals, Wanted, Why};
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

/// Who was not let in.
pub(crate) struct RefusalSource(pub(crate) Refusals);

impl Source for RefusalSource {
    fn metrics(&self) -> Vec<Metric> {
        let what = "Peers and calls that were not let in, by what they wanted and why; those that a limit turned away are counted there.";
        vec![Metric::counter("refusals", what).by("wanted").by("reason")]
    }

    fn read(&self, record: &mut Record<'_>) {
        for wanted in Wanted::ALL {
            for why in Why::ALL {
                let count = self.0.get(*wanted, *why);
                record("refusals", &format!("{},{}", wanted.name(), why.name()), count as f64);
            }
        }
    }
}

/// How much of the machine's processors this process uses.
pub(crate) struct ProcessorShare {
    at: Instant,
    seconds: f64,
}

impl ProcessorShare {
    /// Counts from now on.
    pub(crate) fn new(now: Instant) -> ProcessorShare {
        ProcessorShare { at: now, seconds: headwater_control::cpu_seconds().unwrap_or_default() }
    }

    /// In thousandths, since it was asked last.
    pub(crate) fn permille(&mut self, now: Instant) -> u16 {
        let before = std::mem::replace(self, ProcessorShare::new(now));
        let time = now.saturating_duration_since(before.at).as_secs_f64();
        let processors = available_parallelism().map_or(1.0, |count| count.get() as f64);
        let share = (self.seconds - before.seconds) / (time.max(0.001) * processors);
        (share * 1_000.0).clamp(0.0, 1_000.0) as u16
    }
}

/// This node. Without a name in the configuration it is called as the machine is.
pub(crate) fn node(name: &str) -> Node {
    let machine = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let name = if name.is_empty() { machine() } else { name.to_owned() };
    Node { name, ..Node::default() }
}
