//! How a picture is to be turned before it is shown.

/// How a picture is to be turned before it is shown, as its camera says: a phone sends pictures as its sensor sees
/// them, and with them how it is held.
///
/// The default is to show the picture as it is coded, and says nothing of the camera.
///
/// Source: 3GPP TS 26.114 §7.4.5, coordination of video orientation (CVO), with two bits for the rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation(u8);

/// The bits of the byte that have a meaning: camera, flip, and two of rotation.
const MEANT: u8 = 0b1111;
const CAMERA: u8 = 0b1000;
const FLIP: u8 = 0b0100;
const ROTATION: u8 = 0b0011;

impl Orientation {
    /// Reads the byte of the header extension. Bits without a meaning are passed over.
    pub fn read(byte: u8) -> Orientation {
        Orientation(byte & MEANT)
    }

    /// The byte of the header extension.
    pub fn byte(self) -> u8 {
        self.0
    }

    /// Degrees by which the picture is to be turned clockwise: 0, 90, 180 or 270.
    pub fn degrees(self) -> u16 {
        u16::from(self.0 & ROTATION) * 90
    }

    /// Whether the picture is to be flipped from left to right.
    pub fn is_flipped(self) -> bool {
        self.0 & FLIP != 0
    }

    /// Whether it comes from the camera at the back; `false` where that is not known.
    pub fn is_from_back(self) -> bool {
        self.0 & CAMERA != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_and_written_as_it_came_but_for_bits_without_a_meaning() {
        for byte in 0..=u8::MAX {
            let read = Orientation::read(byte);
            assert_eq!(read.byte(), byte & 0x0f, "{byte:#010b}");
            assert_eq!(Orientation::read(read.byte()), read);
        }
    }

    #[test]
    fn rotation_flip_and_camera_each_have_their_bits() {
        for (byte, expected) in [
            (0b0000, (0, false, false)),
            (0b0001, (90, false, false)),
            (0b0010, (180, false, false)),
            (0b0011, (270, false, false)),
            (0b0100, (0, true, false)),
            (0b1000, (0, false, true)),
            (0b1111, (270, true, true)),
        ] {
            let read = Orientation::read(byte);
            assert_eq!((read.degrees(), read.is_flipped(), read.is_from_back()), expected, "{byte:#06b}");
        }
        assert_eq!(Orientation::default(), Orientation::read(0));
    }
}
