//! Some seconds of the test picture.

use std::time::Duration;

use headwater_media::Codec;
use headwater_transcode::{PatternOptions, TestPattern};

use super::{Item, Reel, SourceError};
use crate::plan::SourcePlan;

/// Whole seconds: there the picture has a key frame and the sound begins anew.
const SECONDS: u32 = 4;
/// Frames of Opus in a second.
const SOUNDS_PER_SECOND: u32 = 50;

/// Codes the picture and the sound of a few seconds.
///
/// # Errors
/// A coder does not take the options.
pub(super) fn make(plan: &SourcePlan) -> Result<Reel, SourceError> {
    let mut pattern = TestPattern::new(PatternOptions {
        width: plan.width,
        height: plan.height,
        frame_rate: plan.frame_rate,
        bitrate: plan.bitrate,
        clock_strip: false,
        sound: Codec::Opus,
    })?;
    let mut items = pictures(&mut pattern, plan.frame_rate)?;
    items.extend(sounds(&mut pattern)?);
    items.sort_by_key(|item| item.at);
    Ok(Reel {
        video: pattern.video_parameters(),
        audio: Some(pattern.audio_parameters()),
        items,
        length: Duration::from_secs(SECONDS.into()),
    })
}

fn pictures(pattern: &mut TestPattern, frame_rate: u32) -> Result<Vec<Item>, SourceError> {
    let mut items = Vec::new();
    for index in 0..u64::from(SECONDS * frame_rate) {
        let is_second = index.is_multiple_of(frame_rate.into());
        let wall_ms = index * 1_000 / u64::from(frame_rate);
        let Some(frame) = pattern.next_picture(index, wall_ms, is_second)? else { continue };
        let at = headwater_media::ClockRate::VIDEO.duration(frame.dts);
        items.push(Item { at, is_video: true, composition: 0, random_access: frame.random_access, data: frame.data });
    }
    Ok(items)
}

fn sounds(pattern: &mut TestPattern) -> Result<Vec<Item>, SourceError> {
    let wanted = (SECONDS * SOUNDS_PER_SECOND) as usize;
    let mut items: Vec<Item> = Vec::with_capacity(wanted);
    let step = Duration::from_secs(1) / SOUNDS_PER_SECOND;
    // The coder lags behind by a frame or two.
    for index in 0..(wanted + SOUNDS_PER_SECOND as usize) as u64 {
        if items.len() == wanted {
            break;
        }
        let Some(frame) = pattern.next_sound(index)? else { continue };
        let at = step * u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.push(Item { at, is_video: false, composition: 0, random_access: true, data: frame.data });
    }
    Ok(items)
}
