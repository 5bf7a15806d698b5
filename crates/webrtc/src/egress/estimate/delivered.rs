//! How much has arrived lately, by the peer's clock.

/// One bucket, in microseconds.
const BUCKET_MICROS: i64 = 31_250;
const BUCKETS: i64 = 32;
/// Buckets of the short window.
const SHORT: i64 = 6;
/// A packet so much older than the newest comes from a clock that has been set back.
const JUMP_BUCKETS: i64 = 96;

/// Bytes that arrived in the last second, in buckets of 31 ms.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    buckets: [Bucket; BUCKETS as usize],
    /// The bucket of the newest packet, and when it arrived.
    newest: Option<(i64, i64)>,
    /// How many buckets there have been, up to all.
    filled: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    media: u32,
    probes: u32,
}

impl Delivered {
    /// A packet arrived.
    pub(super) fn push(&mut self, bytes: u16, is_probe: bool, arrival: i64) {
        let bucket = arrival.div_euclid(BUCKET_MICROS);
        let (newest, latest) = match self.newest {
            Some((newest, latest)) if (-JUMP_BUCKETS..JUMP_BUCKETS).contains(&(bucket.saturating_sub(newest))) => {
                (newest, latest)
            }
            _ => {
                *self = Delivered { filled: 1, ..Delivered::default() };
                (bucket, arrival)
            }
        };
        let ahead = (bucket - newest).max(0);
        for empty in 0..ahead.min(BUCKETS) {
            if let Some(bucket) = self.buckets.get_mut(place(bucket - empty)) {
                *bucket = Bucket::default();
            }
        }
        self.newest = Some((newest.max(bucket), latest.max(arrival)));
        self.filled = (self.filled + ahead).min(BUCKETS);
        if newest - bucket < BUCKETS
            && let Some(Bucket { media, probes }) = self.buckets.get_mut(place(bucket))
        {
            let sum = if is_probe { probes } else { media };
            *sum = sum.saturating_add(u32::from(bytes));
        }
    }

    /// Bits per second over the last 0.2 s, probes included. While a queue is full, it is what the network carries.
    pub(super) fn short(&self) -> Option<f64> {
        self.over(SHORT, |bucket| u64::from(bucket.media) + u64::from(bucket.probes))
    }

    /// Bits per second of media over the last second.
    pub(super) fn long(&self) -> Option<f64> {
        self.over(BUCKETS, |bucket| u64::from(bucket.media))
    }

    /// `None` while there has been less than the short window.
    fn over(&self, buckets: i64, bytes: impl Fn(&Bucket) -> u64) -> Option<f64> {
        let (newest, latest) = self.newest?;
        let buckets = buckets.min(self.filled);
        if buckets < SHORT {
            return None;
        }
        let sum: u64 = (0..buckets).filter_map(|age| self.buckets.get(place(newest - age))).map(bytes).sum();
        let micros = (buckets - 1) * BUCKET_MICROS + (latest - newest * BUCKET_MICROS).max(1);
        Some(sum as f64 * 8_000_000.0 / micros as f64)
    }
}

/// Always one of them.
fn place(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS) as usize
}
