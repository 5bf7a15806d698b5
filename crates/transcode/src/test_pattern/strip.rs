//! The clock strip: the time of capture, burned into the picture so that machines can read the delay from it.
//!
//! The strip is the top 1/18 of the picture and has [`BLOCKS`] blocks of equal width, white for 1 and black for 0:
//!
//! ```text
//!  block   0   1   2 ........................ 17   18  19
//!  value   1   0   Gray code, highest bit first     0   1
//! ```
//!
//! The 16 bits are the milliseconds since 1970 (UTC) at the moment of capture, modulo 65,536, as a Gray code: the
//! number exclusive-or itself shifted right by one. From one millisecond to the next only one block changes. The two
//! blocks at either end tell the strip from other pictures; a reader should look at the inner half of a block, take
//! brightness well above the middle as 1 and well below as 0, and anything between as no strip.

use super::canvas::{Area, Colour, Picture};

/// The strip is this part of the picture's height.
pub const HEIGHT_SHARE: usize = 18;
/// Blocks before the time.
pub const HEAD: [bool; 2] = [true, false];
/// Blocks that hold the time.
pub const DATA_BLOCKS: usize = 16;
/// Blocks behind the time.
pub const TAIL: [bool; 2] = [false, true];
/// All blocks.
pub const BLOCKS: usize = HEAD.len() + DATA_BLOCKS + TAIL.len();

/// From this brightness on a block is white ...
const WHITE_MIN: u32 = 150;
/// ... and up to this one black.
const BLACK_MAX: u32 = 100;

/// The blocks for a time in milliseconds.
pub fn blocks(milliseconds: u64) -> [bool; BLOCKS] {
    let time = (milliseconds % 65_536) as u16;
    let gray = time ^ (time >> 1);
    let mut blocks = [false; BLOCKS];
    let bits = (0..DATA_BLOCKS).map(|bit| gray >> (DATA_BLOCKS - 1 - bit) & 1 == 1);
    let all = HEAD.into_iter().chain(bits).chain(TAIL);
    blocks.iter_mut().zip(all).for_each(|(block, value)| *block = value);
    blocks
}

/// Reads the time from a picture's brightness; `None` if there is no strip.
pub fn read(luma: &[u8], width: usize, height: usize) -> Option<u16> {
    let values = (0..BLOCKS).map(|block| read_block(luma, width, height, block)).collect::<Option<Vec<bool>>>()?;
    let (head, rest) = values.split_at_checked(HEAD.len())?;
    let (data, tail) = rest.split_at_checked(DATA_BLOCKS)?;
    if head != HEAD || tail != TAIL {
        return None;
    }
    let mut bit = false;
    Some(data.iter().fold(0, |time, gray| {
        bit ^= gray;
        time << 1 | u16::from(bit)
    }))
}

fn read_block(luma: &[u8], width: usize, height: usize, block: usize) -> Option<bool> {
    let strip = height / HEIGHT_SHARE;
    let columns = (4 * block + 1) * width / (4 * BLOCKS)..(4 * block + 3) * width / (4 * BLOCKS);
    let (mut sum, mut count) = (0, 0);
    for row in strip / 4..strip * 3 / 4 {
        for value in luma.get(row * width + columns.start..row * width + columns.end)? {
            sum += u32::from(*value);
            count += 1;
        }
    }
    match sum.checked_div(count)? {
        WHITE_MIN.. => Some(true),
        0..=BLACK_MAX => Some(false),
        _ => None,
    }
}

/// Paints the strip over the top of a picture.
pub(super) fn paint(picture: &mut Picture, milliseconds: u64) {
    let height = (picture.height / HEIGHT_SHARE) as i32;
    for (block, white) in blocks(milliseconds).into_iter().enumerate() {
        let edge = |block: usize| (block * picture.width / BLOCKS) as i32;
        let area = Area { x: edge(block), y: 0, width: edge(block + 1) - edge(block), height };
        picture.fill(area, if white { Colour::WHITE } else { Colour::BLACK });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_read_back() {
        for (width, height) in [(1_280, 720), (640, 360), (320, 180), (854, 480)] {
            let mut picture = Picture::new(width, height);
            for time in [0, 1, 2, 1_000, 32_767, 32_768, 65_535, 65_536, 1_767_225_600_123] {
                paint(&mut picture, time);
                assert_eq!(read(&picture.y, picture.width, picture.height), Some((time % 65_536) as u16));
            }
        }
    }

    #[test]
    fn one_block_changes_in_a_millisecond() {
        for time in 0..65_536 {
            let changed = blocks(time).iter().zip(blocks(time + 1)).filter(|(a, b)| **a != *b).count();
            assert_eq!(changed, 1);
        }
    }

    #[test]
    fn other_pictures_have_no_time() {
        let grey = vec![128; 1_280 * 720];
        let white = vec![235; 1_280 * 720];
        let stripes: Vec<u8> = (0..1_280 * 720).map(|n| if n / 64 % 2 == 0 { 235 } else { 16 }).collect();
        for luma in [grey, white, stripes] {
            assert_eq!(read(&luma, 1_280, 720), None);
        }
        for (length, width, height) in [(0, 0, 0), (10, 1_280, 720), (100, 2, 2)] {
            assert_eq!(read(&vec![255; length], width, height), None);
        }
    }
}
