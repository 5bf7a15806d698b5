//! The numbers of pictures that stand in the payloads of VP8 and VP9, made a viewer's own.
//!
//! Each rendition of a picture counts from a number of its own. A decoder that is sent another one takes a jump of these
//! numbers for pictures that are missing, or that it has had: it waits, or shows what does not belong together.
//! So the numbers go on where a viewer goes over: its first picture of the other has the number after the last
//! (RFC 7741 §4.2 for VP8, RFC 9628 §4.2 for VP9; draft-ietf-avtext-framemarking-14 §3.2.1 on `TL0PICIDX`).

use headwater_media::Codec;
use headwater_rtp::{PictureId, Vp8Descriptor, Vp9Descriptor};

use crate::srtp::Patch;

/// The numbers of one viewer's pictures.
///
/// Invariant: nothing is changed until it goes over for the first time.
#[derive(Debug)]
pub(super) struct Pictures {
    /// `None` where the codec's payloads have no such numbers.
    read: Option<Read>,
    shift: Shift,
    latest: Option<Numbers>,
    goes_over: bool,
}

/// Finds them in a payload, if it has them.
type Read = fn(&[u8]) -> Option<Numbers>;

/// What is added to the source's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shift {
    id: u16,
    base_layer: u8,
}

/// The numbers in one payload.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    id: PictureId,
    /// Where `TL0PICIDX` stands, and what it is.
    base_layer: Option<(usize, u8)>,
}

impl Pictures {
    pub(super) fn new(codec: Codec) -> Pictures {
        Pictures { read: reader(codec), shift: Shift::default(), latest: None, goes_over: false }
    }

    /// What follows is of this codec.
    pub(super) fn set_codec(&mut self, codec: Codec) {
        self.read = reader(codec);
    }

    /// What follows is numbered by another source.
    pub(super) fn go_over(&mut self) {
        self.goes_over = true;
    }

    /// What is to be changed in the payload of a packet that is sent for the first time.
    #[inline]
    pub(super) fn take(&mut self, payload: &[u8]) -> Option<Patch> {
        let numbers = (self.read?)(payload)?;
        if std::mem::take(&mut self.goes_over) {
            self.shift = self.latest.map_or(self.shift, |latest| Shift::after(&latest, &numbers));
        }
        let own = self.shift.apply(&numbers);
        if self.latest.is_none_or(|latest| own.is_newer(&latest)) {
            self.latest = Some(own);
        }
        self.shift.patch(&own, payload)
    }

    /// The same for one that is sent again.
    pub(super) fn again(&self, payload: &[u8]) -> Option<Patch> {
        let numbers = (self.read?)(payload)?;
        self.shift.patch(&self.shift.apply(&numbers), payload)
    }
}

impl Shift {
    /// What makes `first` the number after `latest`.
    #[cold]
    fn after(latest: &Numbers, first: &Numbers) -> Shift {
        let behind = |(latest, first): ((usize, u8), (usize, u8))| latest.1.wrapping_add(1).wrapping_sub(first.1);
        Shift {
            id: latest.id.value.wrapping_add(1).wrapping_sub(first.id.value),
            base_layer: latest.base_layer.zip(first.base_layer).map_or(0, behind),
        }
    }

    fn apply(self, numbers: &Numbers) -> Numbers {
        let Numbers { mut id, base_layer } = *numbers;
        id.value = id.value.wrapping_add(self.id) & mask(&id);
        let base_layer = base_layer.map(|(at, number)| (at, number.wrapping_add(self.base_layer)));
        Numbers { id, base_layer }
    }

    /// Writes these numbers into the payload that they were read from.
    #[inline]
    fn patch(self, own: &Numbers, payload: &[u8]) -> Option<Patch> {
        if self == Shift::default() { None } else { own.write(payload) }
    }
}

impl Numbers {
    #[cold]
    fn write(&self, payload: &[u8]) -> Option<Patch> {
        let PictureId { value, is_long, at } = self.id;
        let end = self.base_layer.map_or(at + 1 + usize::from(is_long), |(at, _)| at + 1);
        // What stands between the two stays.
        let mut bytes = [0; 4];
        let bytes = bytes.get_mut(..end.checked_sub(at)?)?;
        bytes.copy_from_slice(payload.get(at..end)?);
        let [high, low] = value.to_be_bytes();
        match bytes {
            [first, second, ..] if is_long => (*first, *second) = (0x80 | high, low),
            [first, ..] => *first = low,
            [] => {}
        }
        if let (Some((_, number)), Some(last)) = (self.base_layer, bytes.last_mut()) {
            *last = number;
        }
        Patch::new(at, bytes)
    }

    fn is_newer(&self, than: &Numbers) -> bool {
        let mask = mask(&self.id);
        self.id.value.wrapping_sub(than.id.value) & mask <= mask / 2
    }
}

/// All bits of a number.
fn mask(id: &PictureId) -> u16 {
    if id.is_long { 0x7fff } else { 0x7f }
}

fn reader(codec: Codec) -> Option<Read> {
    match codec {
        Codec::Vp8 => Some(|payload| {
            let descriptor = Vp8Descriptor::parse(payload).ok()?;
            let id = descriptor.picture_id?;
            let behind = id.at + 1 + usize::from(id.is_long);
            Some(Numbers { id, base_layer: descriptor.base_layer.map(|number| (behind, number)) })
        }),
        Codec::Vp9 => Some(|payload| {
            let descriptor = Vp9Descriptor::parse(payload).ok()?;
            let id = descriptor.picture_id?;
            let behind_layers = id.at + 2 + usize::from(id.is_long);
            Some(Numbers { id, base_layer: descriptor.base_layer.map(|number| (behind_layers, number)) })
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload of VP8 with a picture id of 15 bits and `TL0PICIDX`.
    fn vp8(id: u16, base_layer: u8) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        vec![0x90, 0xe0, 0x80 | high, low, base_layer, 0x40, 1, 2, 3]
    }

    /// A payload of VP9 with a picture id of 7 bits, layers and `TL0PICIDX`.
    fn vp9(id: u8, base_layer: u8) -> Vec<u8> {
        vec![0xa8, id, 0x21, base_layer, 1, 2, 3]
    }

    fn sent(pictures: &mut Pictures, mut payload: Vec<u8>) -> Vec<u8> {
        let again = payload.clone();
        let patch = pictures.take(&payload);
        assert_eq!(pictures.again(&again), patch, "it is the same when it is sent again");
        patch.into_iter().for_each(|patch| patch.apply(&mut payload));
        payload
    }

    #[test]
    fn numbers_stay_as_they_are_until_another_rendition_is_gone_over_to() {
        let mut pictures = Pictures::new(Codec::Vp8);
        for id in 32_760..33_000 {
            let payload = vp8(id & 0x7fff, id as u8);
            assert_eq!(pictures.take(&payload), None);
        }
    }

    #[test]
    fn numbers_go_on_where_another_rendition_is_gone_over_to() {
        let mut pictures = Pictures::new(Codec::Vp8);
        sent(&mut pictures, vp8(32_766, 254));
        sent(&mut pictures, vp8(32_767, 255));
        assert_eq!(sent(&mut pictures, vp8(32_766, 254)), vp8(32_766, 254), "one that comes late");
        pictures.go_over();
        assert_eq!(sent(&mut pictures, vp8(17, 9)), vp8(0, 0));
        assert_eq!(sent(&mut pictures, vp8(17, 9)), vp8(0, 0), "another packet of it");
        assert_eq!(sent(&mut pictures, vp8(19, 10)), vp8(2, 1));
        pictures.go_over();
        assert_eq!(sent(&mut pictures, vp8(40_000 & 0x7fff, 200)), vp8(3, 2));
    }

    #[test]
    fn numbers_of_vp9_go_on_and_the_layers_between_them_stay() {
        let mut pictures = Pictures::new(Codec::Vp9);
        sent(&mut pictures, vp9(126, 255));
        pictures.go_over();
        assert_eq!(sent(&mut pictures, vp9(3, 3)), vp9(127, 0));
        assert_eq!(sent(&mut pictures, vp9(4, 3)), vp9(0, 0));
    }

    #[test]
    fn payloads_without_numbers_are_left_alone() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264] {
            let mut pictures = Pictures::new(codec);
            pictures.go_over();
            assert_eq!((pictures.take(&[0x10, 1, 2]), pictures.take(&[]), pictures.again(&[0x90])), (None, None, None));
        }
    }
}
