//! A picture in planes of brightness and colour, and what can be painted on it.

use std::f32::consts::FRAC_1_SQRT_2;

/// A picture as video coders take it: 8 bits, 4:2:0, ITU-R BT.709 in the limited range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row; even.
    pub width: usize,
    /// Rows; even.
    pub height: usize,
    /// Brightness, `width` by `height`.
    pub y: Vec<u8>,
    /// Blue difference, half as wide and high.
    pub u: Vec<u8>,
    /// Red difference, half as wide and high.
    pub v: Vec<u8>,
}

/// A colour as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    pub(super) y: u8,
    pub(super) u: u8,
    pub(super) v: u8,
}

impl Colour {
    pub(super) const BLACK: Colour = Colour { y: 16, u: 128, v: 128 };
    pub(super) const WHITE: Colour = Colour { y: 235, u: 128, v: 128 };

    /// From the `0xRRGGBB` that designers write.
    ///
    /// Source: Recommendation ITU-R BT.709, items 3.2 to 3.5.
    pub(super) const fn rgb(hex: u32) -> Colour {
        let (r, g, b) = ((hex >> 16 & 255) as f32, (hex >> 8 & 255) as f32, (hex & 255) as f32);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Colour {
            y: (16.5 + y * 219.0 / 255.0) as u8,
            u: (128.5 + (b - y) / 1.8556 * 224.0 / 255.0) as u8,
            v: (128.5 + (r - y) / 1.5748 * 224.0 / 255.0) as u8,
        }
    }
}

/// A part of a picture; what is outside the picture is not painted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Picture {
    /// A black picture; sizes are rounded down to even numbers.
    pub(super) fn new(width: usize, height: usize) -> Picture {
        let (width, height) = (width & !1, height & !1);
        let colour = vec![128; width * height / 4];
        Picture { width, height, y: vec![16; width * height], u: colour.clone(), v: colour }
    }

    /// Takes over the contents of a picture of the same size.
    pub(super) fn copy_from(&mut self, other: &Picture) {
        self.y.copy_from_slice(&other.y);
        self.u.copy_from_slice(&other.u);
        self.v.copy_from_slice(&other.v);
    }

    /// Fills an area; colours change at even pixels only.
    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        self.shade(area, |_, _| (colour, 255));
    }

    /// Paints a disc with a soft edge.
    pub(super) fn disc(&mut self, x: f32, y: f32, radius: f32, colour: Colour, opacity: f32) {
        let side = (2.0 * radius).ceil() as i32 + 4;
        let area = Area { x: x as i32 - side / 2, y: y as i32 - side / 2, width: side, height: side };
        self.shade(area, |px, py| {
            let distance = (px as f32 + 0.5 - x).hypot(py as f32 + 0.5 - y);
            let cover = ((radius - distance) * FRAC_1_SQRT_2 + 0.5).clamp(0.0, 1.0);
            (colour, (cover * opacity * 255.0) as u8)
        });
    }

    /// Paints each pixel of an area in the colour and opacity that `paint` says for its place.
    pub(super) fn shade(&mut self, area: Area, paint: impl Fn(i32, i32) -> (Colour, u8)) {
        let (width, height) = (self.width as i32, self.height as i32);
        for y in area.y.max(0)..(area.y + area.height).min(height) {
            for x in area.x.max(0)..(area.x + area.width).min(width) {
                let (colour, opacity) = paint(x, y);
                if opacity > 0 {
                    self.blend(x as usize, y as usize, colour, opacity);
                }
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: Colour, opacity: u8) {
        mix(&mut self.y[y * self.width + x], colour.y, opacity);
        if (x | y) & 1 == 0 {
            let at = y / 2 * (self.width / 2) + x / 2;
            mix(&mut self.u[at], colour.u, opacity);
            mix(&mut self.v[at], colour.v, opacity);
        }
    }
}

fn mix(value: &mut u8, wanted: u8, opacity: u8) {
    let (old, new, part) = (u32::from(*value), u32::from(wanted), u32::from(opacity));
    *value = ((old * (255 - part) + new * part + 127) / 255) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_specification() {
        let cases = [
            (0x000000, (16, 128, 128)),
            (0xffffff, (235, 128, 128)),
            (0xff0000, (63, 102, 240)),
            (0x0000ff, (32, 240, 118)),
        ];
        for (hex, (y, u, v)) in cases {
            assert_eq!(Colour::rgb(hex), Colour { y, u, v }, "{hex:06x}");
        }
    }

    #[test]
    fn what_is_outside_is_not_painted() {
        let mut picture = Picture::new(16, 16);
        picture.fill(Area { x: -8, y: -8, width: 12, height: 12 }, Colour::WHITE);
        picture.disc(15.0, 15.0, 100.0, Colour::WHITE, 1.0);
        assert_eq!(picture.y[0], 235);
    }
}
