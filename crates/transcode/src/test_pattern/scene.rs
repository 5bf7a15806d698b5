//! What the test picture shows.
//!
//! ```text
//!  ████ clock strip ████████████████████████████
//!  HEADWATER                      1280X720 30 FPS
//!        1 2 : 3 4 : 5 6 . 7 8 9     (wall clock)
//!     |····|····|····●····|····|     (one second)
//!  ▒▒▒▒▒▒▒▒▒ colour bars, a gleam ▒▒▒▒▒▒▒▒▒▒▒▒▒▒
//!  FRAME 0000123                          00:00:04
//! ```

use super::canvas::{Area, Colour, Picture};
use super::{font, strip};

const SKY: (f32, f32) = (26.0, 40.0);
const SKY_COLOUR: Colour = Colour::rgb(0x0a1a20);
const INK: Colour = Colour::rgb(0xe4eff0);
const MUTED: Colour = Colour::rgb(0x91a7ab);
const UNLIT: Colour = Colour::rgb(0x1c3138);
const ACCENT: Colour = Colour::rgb(0x45c6d0);
const BARS: [Colour; 8] = [
    Colour::rgb(0xbfbfbf),
    Colour::rgb(0xbfbf00),
    Colour::rgb(0x00bfbf),
    Colour::rgb(0x00bf00),
    Colour::rgb(0xbf00bf),
    Colour::rgb(0xbf0000),
    Colour::rgb(0x0000bf),
    Colour::rgb(0x0b0f10),
];
/// Steps of the grey ramp below the bars.
const GREYS: i32 = 16;
/// How long the light of the beep stays on, in seconds.
const FLASH: f32 = 0.1;
/// How much of a second the trail of the running light is long.
const TRAIL: f32 = 0.16;
/// How long the gleam takes to cross the bars, in seconds.
const GLEAM: f32 = 4.0;

/// Everything in a picture that moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Number of the picture.
    pub(super) index: u64,
    /// Time since the first picture, in milliseconds.
    pub(super) elapsed: u64,
    /// Time to the sound's next full second is one minus this, in seconds.
    pub(super) phase: f32,
    /// Milliseconds since 1970 at the moment of capture.
    pub(super) wall: u64,
}

/// A picture of one size, with all that stands still in it painted once.
pub(super) struct Scene {
    still: Picture,
    /// Pixels per unit; the picture is laid out in 1280 by 720 of them.
    scale: f32,
    with_strip: bool,
}

impl Scene {
    pub(super) fn new(width: usize, height: usize, frame_rate: u32, with_strip: bool) -> Scene {
        let still = Picture::new(width, height);
        let scale = (still.width as f32 / 1_280.0).min(still.height as f32 / 720.0);
        let mut scene = Scene { still, scale, with_strip };
        let mut still = std::mem::replace(&mut scene.still, Picture::new(0, 0));
        scene.sky(&mut still);
        scene.matrix(&mut still, "HEADWATER", 64, 88, 6, ACCENT);
        let title = format!("{}X{}  {frame_rate} FPS", still.width, still.height);
        scene.right(&mut still, &title, 100, MUTED);
        scene.matrix(&mut still, "88:88:88.888", 72, 180, 16, UNLIT);
        scene.left(&mut still, "WALL CLOCK  UTC", 312, MUTED);
        scene.ruler(&mut still);
        scene.bars(&mut still);
        scene.still = still;
        scene
    }

    /// A picture to paint on.
    pub(super) fn canvas(&self) -> Picture {
        self.still.clone()
    }

    /// Paints the picture of a moment.
    pub(super) fn paint(&self, picture: &mut Picture, moment: Moment) {
        picture.copy_from(&self.still);
        self.matrix(picture, &time_of_day(moment.wall), 72, 180, 16, INK);
        self.runner(picture, moment.phase);
        self.gleam(picture, moment.elapsed);
        self.left(picture, &format!("FRAME {:07}", moment.index), 656, INK);
        let played = moment.elapsed / 1_000;
        self.right(picture, &format!("{:02}:{:02}:{:02}", played / 3_600, played / 60 % 60, played % 60), 656, INK);
        if self.with_strip {
            strip::paint(picture, moment.wall);
        }
    }

    /// Units to pixels.
    fn px(&self, units: i32) -> i32 {
        (units as f32 * self.scale).round() as i32
    }

    fn area(&self, x: i32, y: i32, width: i32, height: i32) -> Area {
        let (left, top) = (self.px(x), self.px(y));
        Area { x: left, y: top, width: self.px(x + width) - left, height: self.px(y + height) - top }
    }

    fn small(&self) -> i32 {
        self.px(3).max(1)
    }

    fn left(&self, picture: &mut Picture, text: &str, y: i32, colour: Colour) {
        font::write(picture, text, self.px(64), self.px(y), self.small(), colour);
    }

    fn right(&self, picture: &mut Picture, text: &str, y: i32, colour: Colour) {
        let x = self.px(1_216) - font::width(text, self.small());
        font::write(picture, text, x, self.px(y), self.small(), colour);
    }

    /// Writes text in round lamps.
    fn matrix(&self, picture: &mut Picture, text: &str, x: i32, y: i32, size: i32, colour: Colour) {
        let radius = size as f32 * self.scale * 0.46;
        for (dot_x, dot_y, _) in font::dots(text).filter(|(_, _, lit)| *lit) {
            let middle = |from: i32, dot: i32| (from as f32 + (dot as f32 + 0.5) * size as f32) * self.scale;
            picture.disc(middle(x, dot_x), middle(y, dot_y), radius, colour, 1.0);
        }
    }

    fn sky(&self, picture: &mut Picture) {
        let (width, height) = (picture.width as i32, picture.height as i32);
        picture.shade(Area { x: 0, y: 0, width, height }, |_, y| {
            let down = y as f32 / height as f32;
            (Colour { y: (SKY.1 + (SKY.0 - SKY.1) * down) as u8, ..SKY_COLOUR }, 255)
        });
    }

    fn ruler(&self, picture: &mut Picture) {
        picture.fill(self.area(72, 398, 1_136, 4), UNLIT);
        for tick in 0..=10 {
            let long = if tick % 5 == 0 { 18 } else { 10 };
            picture.fill(self.area(70 + tick * 1_136 / 10, 400 - long, 4, 2 * long), UNLIT);
        }
    }

    /// The light that runs along the ruler once in a second, and flares up where the beep sounds.
    fn runner(&self, picture: &mut Picture, phase: f32) {
        let place = |phase: f32| ((72.0 + phase * 1_136.0) * self.scale, 400.0 * self.scale);
        let (x, y) = place(phase);
        let (tail, half) = (TRAIL * 1_136.0 * self.scale, 14.0 * self.scale);
        let left = (x - tail).max(place(0.0).0) as i32;
        let area = Area { x: left, y: (y - half) as i32, width: x as i32 - left, height: 2 * half as i32 };
        picture.shade(area, |px, py| {
            let near = 1.0 - (x - px as f32) / tail;
            let cover = (half * near - (py as f32 + 0.5 - y).abs() + 0.5).clamp(0.0, 1.0);
            (ACCENT, (cover * near.max(0.0) * 220.0) as u8)
        });
        picture.disc(x, y, 14.0 * self.scale, INK, 1.0);
        if phase < FLASH {
            let (x, y) = place(0.0);
            picture.disc(x, y, 34.0 * self.scale, ACCENT, 1.0 - phase / FLASH * 0.6);
        }
    }

    fn bars(&self, picture: &mut Picture) {
        for (bar, colour) in (0..).zip(BARS) {
            picture.fill(self.area(64 + bar * 144, 470, 144, 120), colour);
        }
        for grey in 0..GREYS {
            let y = (16 + 219 * grey / (GREYS - 1)) as u8;
            picture.fill(self.area(64 + grey * 72, 594, 72, 32), Colour { y, ..Colour::BLACK });
        }
    }

    /// A soft light that crosses the colour bars.
    fn gleam(&self, picture: &mut Picture, elapsed: u64) {
        let turn = (elapsed % (GLEAM * 1_000.0) as u64) as f32 / 1_000.0 / GLEAM;
        let middle = (64.0 + turn * 1_152.0) * self.scale;
        let half = 60.0 * self.scale;
        let bars = self.area(64, 470, 1_152, 120);
        let left = ((middle - half) as i32).max(bars.x);
        let right = ((middle + half) as i32).min(bars.x + bars.width);
        let area = Area { x: left, width: right - left, ..bars };
        picture.shade(area, |x, _| {
            let near = 1.0 - (x as f32 - middle).abs() / half;
            (Colour::WHITE, (near.max(0.0) * 150.0) as u8)
        });
    }
}

fn time_of_day(wall: u64) -> String {
    let (seconds, milliseconds) = (wall / 1_000, wall % 1_000);
    format!("{:02}:{:02}:{:02}.{milliseconds:03}", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}
