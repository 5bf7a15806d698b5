//! Which of the renditions that a source sends at once a client gets.
//!
//! A player names one when it begins (`rendition` of `playStream`) or later (`setRendition`). One that only says how
//! large it wants the picture, as pages made with the WCS Web SDK do, gets the nearest that there is.

use headwater_graph::{Hub, Stream};
use headwater_webrtc::RenditionChoice;
use tokio::sync::watch;

use super::{job::Spot, wire::StreamRequest};
use crate::layer::{self, Layer};

const AUTO: &str = "auto";

/// The choice among the renditions of a stream, as its player's connection holds it. The last word counts.
pub(super) struct Picks {
    spot: Spot,
    choice: watch::Sender<RenditionChoice>,
}

/// The same, as the task that plays the stream holds it.
pub(super) type Picked = watch::Receiver<RenditionChoice>;

impl Picks {
    pub(super) fn of(spot: Spot) -> (Picks, Picked) {
        let (choice, picked) = watch::channel(RenditionChoice::Auto);
        (Picks { spot, choice }, picked)
    }

    /// What there is to choose from, after choosing `wanted`, and why that cannot be.
    pub(super) fn answer(&self, hub: &Hub, wanted: Option<String>) -> (Vec<Layer>, Option<String>) {
        let Some(stream) = self.spot.get().and_then(|place| hub.find(place.name())) else {
            return (Vec::new(), Some("nobody publishes the stream now".to_owned()));
        };
        let problem = wanted.and_then(|label| match choice(&stream, &label) {
            Ok(choice) => {
                self.choice.send_replace(choice);
                None
            }
            Err(sentence) => Some(sentence),
        });
        (layer::layers(&stream), problem)
    }
}

/// What a player gets that has just come.
///
/// # Errors
/// Says that there is no rendition of the label that it asks for.
pub(super) fn first(request: &StreamRequest, stream: &Stream) -> Result<RenditionChoice, String> {
    match &request.rendition {
        Some(label) => choice(stream, label),
        None => Ok(nearest(&layer::layers(stream), request.width, request.height)),
    }
}

fn choice(stream: &Stream, label: &str) -> Result<RenditionChoice, String> {
    if label.is_empty() || label == AUTO {
        return Ok(RenditionChoice::Auto);
    }
    layer::check(stream, label).map_err(|refusal| refusal.sentence)?;
    Ok(RenditionChoice::Only(label.to_owned()))
}

/// The rendition nearest in height, or in width if no height is asked for; of two that are as near the larger one.
/// Without either, or where no size is known, it is left to the network.
fn nearest(layers: &[Layer], width: u64, height: u64) -> RenditionChoice {
    let (wanted, pixels): (u64, fn(&Layer) -> Option<u32>) = match (width, height) {
        (0, 0) => return RenditionChoice::Auto,
        (width, 0) => (width, |layer| layer.width),
        (_, height) => (height, |layer| layer.height),
    };
    let sized = layers.iter().filter_map(|layer| Some((layer, u64::from(pixels(layer)?))));
    let best = sized.min_by_key(|(_, pixels)| (pixels.abs_diff(wanted), std::cmp::Reverse(*pixels)));
    best.map_or(RenditionChoice::Auto, |(layer, _)| RenditionChoice::Only(layer.encoding_id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(label: &str, size: Option<(u32, u32)>) -> Layer {
        let (width, height) = size.unzip();
        Layer { encoding_id: label.to_owned(), width, height }
    }

    #[test]
    fn the_nearest_in_height_is_chosen_or_else_in_width() {
        let layers = [layer("q", Some((320, 180))), layer("h", Some((640, 360))), layer("f", Some((1280, 720)))];
        let cases = [
            ((0, 720), Some("f")),
            ((0, 4_000), Some("f")),
            ((0, 400), Some("h")),
            ((1_280, 180), Some("q")),
            ((0, 270), Some("h")),
            ((700, 0), Some("h")),
            ((1, 0), Some("q")),
            ((u64::MAX, u64::MAX), Some("f")),
            ((0, 0), None),
        ];
        let chosen =
            |label: Option<&str>| label.map_or(RenditionChoice::Auto, |label| RenditionChoice::Only(label.to_owned()));
        for ((width, height), expected) in cases {
            assert_eq!(nearest(&layers, width, height), chosen(expected), "{width} x {height}");
        }
        assert_eq!(nearest(&[], 0, 720), RenditionChoice::Auto, "there is one picture alone");
        let unknown = [layer("q", None), layer("f", Some((1_280, 720)))];
        assert_eq!(nearest(&unknown, 0, 180), chosen(Some("f")), "only what is known can be near");
        assert_eq!(nearest(&unknown[..1], 0, 180), RenditionChoice::Auto);
    }
}
