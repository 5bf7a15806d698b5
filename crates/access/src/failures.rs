//! Who has tried wrong passwords and keys, so that guessing takes long.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use headwater_media::limits;
use parking_lot::Mutex;

/// Failures are forgotten after this time.
const WINDOW: Duration = Duration::from_secs(60);
/// How often an address with too many failures is heard.
const PACE: Duration = Duration::from_secs(1);

/// Failures by address (IPv6: by /64). Bounded by `ACCESS_ADDRESSES`.
#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<IpAddr, Failed>>);

struct Failed {
    /// When the window began.
    since: Instant,
    failures: u64,
    /// When it was heard last.
    heard: Instant,
}

impl Failures {
    /// Whether a guess from this address may be looked at now.
    pub(crate) fn may_try(&self, remote: Option<IpAddr>, now: Instant) -> bool {
        let mut table = self.0.lock();
        let Some(failed) = table.get_mut(&network(remote)) else {
            return true;
        };
        if now.saturating_duration_since(failed.since) >= WINDOW || failed.failures < limits::ACCESS_FAILURES.get() {
            return true;
        }
        let may = now.saturating_duration_since(failed.heard) >= PACE;
        if may {
            failed.heard = now;
        } else {
            limits::ACCESS_FAILURES.hit();
        }
        may
    }

    /// A guess was wrong, or is about to be looked at.
    pub(crate) fn add(&self, remote: Option<IpAddr>, now: Instant) {
        let mut table = self.0.lock();
        let network = network(remote);
        make_room(&mut table, network, now);
        let failed = table.entry(network).or_insert(Failed { since: now, failures: 0, heard: now });
        if now.saturating_duration_since(failed.since) >= WINDOW {
            *failed = Failed { since: now, failures: 0, heard: now };
        }
        failed.failures = failed.failures.saturating_add(1);
        failed.heard = now;
    }

    /// What was counted beforehand was right after all.
    pub(crate) fn take_back(&self, remote: Option<IpAddr>) {
        let mut table = self.0.lock();
        let network = network(remote);
        if let Some(failed) = table.get_mut(&network) {
            failed.failures = failed.failures.saturating_sub(1);
            if failed.failures == 0 {
                table.remove(&network);
            }
        }
    }
}

/// Forgets what is over; then, if that was not enough, the oldest.
fn make_room(table: &mut HashMap<IpAddr, Failed>, newcomer: IpAddr, now: Instant) {
    if table.len() < limits::ACCESS_ADDRESSES.get_usize() || table.contains_key(&newcomer) {
        return;
    }
    limits::ACCESS_ADDRESSES.hit();
    table.retain(|_, failed| now.saturating_duration_since(failed.since) < WINDOW);
    // Half of them at once, so that an address more does not cost a walk through all of them each time.
    if table.len() >= limits::ACCESS_ADDRESSES.get_usize() {
        let mut times: Vec<Instant> = table.values().map(|failed| failed.since).collect();
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or(now);
        table.retain(|_, failed| failed.since > middle);
    }
}

/// Whoever has an IPv6 address has its /64.
fn network(remote: Option<IpAddr>) -> IpAddr {
    match remote.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
        Some(address) => address,
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn after_ten_failures_one_attempt_a_second_is_heard_until_the_minute_is_over() {
        let (failures, begun) = (Failures::default(), Instant::now());
        let at = |ms| begun + Duration::from_millis(ms);
        let guesser = address("192.0.2.1");
        for _ in 0..10 {
            assert!(failures.may_try(guesser, begun));
            failures.add(guesser, begun);
        }
        let heard = (1..=50).filter(|tenth| failures.may_try(guesser, at(tenth * 100))).count();
        assert_eq!(heard, 5, "of fifty attempts in five seconds");
        assert!(failures.may_try(address("192.0.2.2"), at(5_000)), "others are heard");
        assert!((0..5).all(|_| failures.may_try(guesser, at(60_000))), "it is over");
    }

    #[test]
    fn an_ipv6_network_is_one_guesser_and_a_mapped_address_is_the_ipv4_one() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..10 {
            failures.add(address(&format!("2001:db8::{number}")), now);
            failures.add(address("::ffff:192.0.2.1"), now);
        }
        assert!(!failures.may_try(address("2001:db8::ffff"), now) && failures.may_try(address("2001:db8:0:1::1"), now));
        assert!(!failures.may_try(address("192.0.2.1"), now));
    }

    #[test]
    fn what_is_taken_back_does_not_count_and_the_table_is_bounded() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..100 {
            failures.add(None, now);
            failures.take_back(None);
        }
        assert!(failures.may_try(None, now) && failures.0.lock().is_empty());
        for number in 0..limits::ACCESS_ADDRESSES.get() as u32 + 500 {
            failures.add(Some(IpAddr::V4(number.into())), now + Duration::from_micros(number.into()));
        }
        assert!(failures.0.lock().len() <= limits::ACCESS_ADDRESSES.get_usize());
    }
}
