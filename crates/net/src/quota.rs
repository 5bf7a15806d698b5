//! How much is open at once, for all and for each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use headwater_media::limits::{self, Limit};
use parking_lot::Mutex;

/// A count of what is open at once, such as connections or sessions, under one limit for all and one for each
/// address. Clones share the count.
#[derive(Clone, Debug)]
pub struct Quota(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: &'static Limit,
    per_address: &'static Limit,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    by_address: HashMap<IpAddr, u64>,
}

/// Why something more is not admitted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Refused {
    /// The limit for all is reached.
    #[error("the server has reached its limit of {} {}", .0.get(), .0.unit)]
    Total(&'static Limit),
    /// The limit for this address is reached.
    #[error("this address has reached its limit of {} {}", .0.get(), .0.unit)]
    Address(&'static Limit),
}

impl Quota {
    /// A count under these two limits.
    pub fn new(total: &'static Limit, per_address: &'static Limit) -> Quota {
        Quota(Arc::new(Inner { total, per_address, counts: Mutex::default() }))
    }

    /// A count of TCP connections: [`limits::CONNECTIONS`], [`limits::CONNECTIONS_PER_ADDRESS`].
    pub fn connections() -> Quota {
        Quota::new(&limits::CONNECTIONS, &limits::CONNECTIONS_PER_ADDRESS)
    }

    /// How many are open now.
    pub fn open(&self) -> u64 {
        self.0.counts.lock().total
    }

    /// Counts one more from `address`, until the permit is dropped. Loopback counts for all, not for its address.
    ///
    /// # Errors
    /// Says which limit is reached, having counted the hit.
    pub fn admit(&self, address: IpAddr) -> Result<Permit, Refused> {
        let key = subscriber(address);
        let mut counts = self.0.counts.lock();
        if counts.total >= self.0.total.get() {
            self.0.total.hit();
            return Err(Refused::Total(self.0.total));
        }
        if let Some(key) = key {
            let of_address = counts.by_address.entry(key).or_insert(0);
            if *of_address >= self.0.per_address.get() {
                self.0.per_address.hit();
                return Err(Refused::Address(self.0.per_address));
            }
            *of_address += 1;
        }
        counts.total += 1;
        Ok(Permit { quota: self.clone(), key })
    }
}

/// What one subscriber of a network provider has: an IPv4 address, or an IPv6 /64. `None` for loopback.
fn subscriber(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

/// The right to one more; dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    quota: Quota,
    key: Option<IpAddr>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.quota.0.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        let Some(key) = self.key else { return };
        if let Some(of_address) = counts.by_address.get_mut(&key) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                counts.by_address.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_own_limit_and_an_ipv6_network_counts_as_one() {
        let connections = Quota::connections();
        let limit = limits::CONNECTIONS_PER_ADDRESS.get();
        let mut permits: Vec<Permit> = (0..limit)
            .map(|host| {
                let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(host));
                connections.admit(address.into()).unwrap()
            })
            .collect();
        let same_network = "2001:db8::ffff:1".parse().unwrap();
        let refused = connections.admit(same_network).unwrap_err();
        assert!(matches!(refused, Refused::Address(_)), "{refused}");
        assert!(connections.admit("2001:db8:0:1::1".parse().unwrap()).is_ok(), "the next network is another");
        assert_eq!(connections.open(), limit);
        permits.pop();
        permits.push(connections.admit(same_network).unwrap());
        drop(permits);
        assert_eq!(connections.open(), 0);
        assert!(connections.0.counts.lock().by_address.is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn loopback_has_no_limit_of_its_own() {
        let connections = Quota::connections();
        let permits: Vec<Permit> = (0..limits::CONNECTIONS_PER_ADDRESS.get() + 1)
            .map(|_| connections.admit("::ffff:127.0.0.1".parse().unwrap()).unwrap())
            .collect();
        assert_eq!(connections.open(), permits.len() as u64);
    }
}
