//! How many TCP connections are open, for all and for each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use headwater_media::limits;
use parking_lot::Mutex;

/// The count of open connections that several listeners share.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: u64,
    by_address: HashMap<IpAddr, u64>,
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// [`limits::CONNECTIONS`] are open.
    #[error("too many connections are open")]
    Total,
    /// [`limits::CONNECTIONS_PER_ADDRESS`] are open from this address.
    #[error("too many connections are open from this address")]
    Address,
}

impl Connections {
    /// A count of its own.
    pub fn new() -> Connections {
        Connections::default()
    }

    /// How many are open now.
    pub fn open(&self) -> u64 {
        self.0.lock().total
    }

    /// Counts one more from `address`, until the permit is dropped. Loopback counts for all, not for its address.
    ///
    /// # Errors
    /// Says which limit is reached, having counted the hit.
    pub fn admit(&self, address: IpAddr) -> Result<Permit, Refused> {
        let key = subscriber(address);
        let mut counts = self.0.lock();
        if counts.total >= limits::CONNECTIONS.get() {
            limits::CONNECTIONS.hit();
            return Err(Refused::Total);
        }
        if let Some(key) = key {
            let of_address = counts.by_address.entry(key).or_insert(0);
            if *of_address >= limits::CONNECTIONS_PER_ADDRESS.get() {
                limits::CONNECTIONS_PER_ADDRESS.hit();
                return Err(Refused::Address);
            }
            *of_address += 1;
        }
        counts.total += 1;
        Ok(Permit {
            connections: self.clone(),
            key,
        })
    }
}

/// What one subscriber of a network provider has: an IPv4 address, or an IPv6 /64. `None` for loopback.
fn subscriber(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(address) => {
            Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into())
        }
    }
}

/// The right to one open connection; dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    connections: Connections,
    key: Option<IpAddr>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock();
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
        let connections = Connections::new();
        let limit = limits::CONNECTIONS_PER_ADDRESS.get();
        let mut permits: Vec<Permit> = (0..limit)
            .map(|host| {
                let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(host));
                connections.admit(address.into()).unwrap()
            })
            .collect();
        let same_network = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(
            connections.admit(same_network).unwrap_err(),
            Refused::Address
        );
        assert!(
            connections
                .admit("2001:db8:0:1::1".parse().unwrap())
                .is_ok(),
            "the next network is another"
        );
        assert_eq!(connections.open(), limit);
        permits.pop();
        permits.push(connections.admit(same_network).unwrap());
        drop(permits);
        assert_eq!(connections.open(), 0);
        assert!(
            connections.0.lock().by_address.is_empty(),
            "nothing is kept of who has left"
        );
    }

    #[test]
    fn loopback_has_no_limit_of_its_own() {
        let connections = Connections::new();
        let permits: Vec<Permit> = (0..limits::CONNECTIONS_PER_ADDRESS.get() + 1)
            .map(|_| {
                connections
                    .admit("::ffff:127.0.0.1".parse().unwrap())
                    .unwrap()
            })
            .collect();
        assert_eq!(connections.open(), permits.len() as u64);
    }
}
