//! One medium of a stream, with the renditions that there are of it.

use std::sync::{Arc, Weak};

use headwater_media::{Codec, Frame, Packet, TrackKind, TrackParameters, limits};
use parking_lot::Mutex;

use crate::{
    conversion::{Conversion, Running},
    error::{ConvertError, PublishError},
    hub::Services,
    lane::{Bell, Cursor, Join, LaneWriter},
    rendition::{Form, Rendition},
};

/// Audio or video of a stream.
#[derive(Debug)]
pub struct Track {
    id: u32,
    kind: TrackKind,
    native: Arc<Rendition>,
    /// All that the source sends at once, where that is more than one.
    named: Mutex<Vec<Arc<Rendition>>>,
    /// The labels of those that it has said it sends.
    labels: Mutex<Vec<String>>,
    /// Renditions converted from the native one, one for each codec that someone needs now.
    converted: Mutex<Vec<(Codec, Arc<Rendition>)>>,
    services: Arc<Services>,
}

impl Track {
    pub(crate) fn new(id: u32, kind: TrackKind, form: Form, services: Arc<Services>) -> Arc<Track> {
        let native = Rendition::new(kind, form, None, None, services.clone());
        let (named, labels, converted) = Default::default();
        Arc::new(Track { id, kind, native, named, labels, converted, services })
    }

    /// Its number in the stream, from zero.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Audio or video.
    pub fn kind(&self) -> TrackKind {
        self.kind
    }

    /// What the source sends; where it sends several renditions at once, the best of those that come now.
    pub fn native(&self) -> &Arc<Rendition> {
        &self.native
    }

    /// What the source sends, and what is being converted from it now.
    pub fn renditions(&self) -> Vec<Arc<Rendition>> {
        let converted = self.converted.lock();
        std::iter::once(&self.native).chain(converted.iter().map(|(_, r)| r)).cloned().collect()
    }

    /// The renditions that the source sends at once, each under its label; none where it sends one.
    pub fn named_renditions(&self) -> Vec<Arc<Rendition>> {
        self.named.lock().clone()
    }

    /// The labels of all that the source has said it sends at once, in its order, whether they come yet or not; none
    /// where it sends one.
    pub fn labels(&self) -> Vec<String> {
        self.labels.lock().clone()
    }

    /// Adds one, or takes up that of an earlier publisher; says whether it did.
    pub(crate) fn add_named(&self, label: &str) -> Result<(Arc<Rendition>, bool), PublishError> {
        let mut named = self.named.lock();
        if let Some(known) = named.iter().find(|rendition| rendition.label() == Some(label)) {
            return Ok((known.clone(), true));
        }
        let limit = limits::WEBRTC_RENDITIONS.get();
        if named.len() as u64 >= limit {
            limits::WEBRTC_RENDITIONS.hit();
            return Err(PublishError::TooManyRenditions { limit });
        }
        let rendition = Rendition::named(label, self.kind, self.services.clone());
        named.push(rendition.clone());
        Ok((rendition, false))
    }

    /// Notes that the source sends these, and ends those of an earlier publisher that are not among them.
    pub(crate) fn retain_named(&self, labels: &[String]) {
        *self.labels.lock() = labels.to_vec();
        self.named.lock().retain(|rendition| {
            let stays = labels.iter().any(|label| rendition.label() == Some(label));
            if !stays {
                rendition.end();
            }
            stays
        });
    }

    /// Reads it as frames for something that is no viewer, such as what packages it for many viewers; otherwise like
    /// [`Subscription::frames`](crate::Subscription::frames).
    ///
    /// # Errors
    /// No conversion leads to an accepted codec, or the track has not begun.
    pub fn frames(self: &Arc<Self>, accept: &[Codec], bell: &Bell, join: Join) -> Result<Cursor<Frame>, ConvertError> {
        self.with_rendition(accept, |rendition| rendition.frames(bell, join))
    }

    pub(crate) fn packets(
        self: &Arc<Self>,
        accept: &[Codec],
        bell: &Bell,
        join: Join,
    ) -> Result<Cursor<Packet>, ConvertError> {
        self.with_rendition(accept, |rendition| rendition.packets(bell, join))
    }

    /// Reads the native rendition if its codec is accepted, else the first that it can be converted to.
    ///
    /// The list of converted renditions stays locked until the reader is counted, so that none is taken away
    /// between being found and being read.
    fn with_rendition<T>(
        self: &Arc<Self>,
        accept: &[Codec],
        read: impl Fn(&Arc<Rendition>) -> Result<T, ConvertError>,
    ) -> Result<T, ConvertError> {
        let parameters = self.native.parameters().ok_or(ConvertError::NotBegun { kind: self.kind })?;
        if accept.contains(&parameters.codec) {
            return read(&self.native);
        }
        let mut converted = self.converted.lock();
        if let Some((_, rendition)) = converted.iter().find(|(codec, _)| accept.contains(codec)) {
            return read(rendition);
        }
        for &codec in accept {
            let Some((result, conversion)) = self.services.converters.load().transcoder(&parameters, codec) else {
                continue;
            };
            let (rendition, running) = self.converted_rendition(&parameters, codec, result, conversion)?;
            let reader = read(&rendition)?;
            converted.push((codec, rendition));
            drop(converted);
            tracing::info!(kind = %self.kind, from = %parameters.codec, to = %codec, "a conversion begins: a viewer needs it");
            self.services.environment.spawn(Box::pin(running.run()));
            return Ok(reader);
        }
        Err(ConvertError::NoConversion {
            kind: self.kind,
            from: parameters.codec,
            to: accept.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(" or "),
        })
    }

    fn converted_rendition(
        self: &Arc<Self>,
        source: &TrackParameters,
        codec: Codec,
        result: TrackParameters,
        conversion: Box<dyn Conversion<Frame, Frame>>,
    ) -> Result<(Arc<Rendition>, Running<Frame, Frame>), ConvertError> {
        let bell = Bell::new();
        let services = self.services.clone();
        let rendition =
            Rendition::new(self.kind, Form::Frames, Some(source.codec), Some(bell.clone()), services.clone());
        let mut output = rendition.frame_writer().ok_or(ConvertError::NotBegun { kind: self.kind })?;
        output.set_parameters(result);
        let input = self.native.frames(&bell, Join::NewestGroup)?;
        let make = move |input: &TrackParameters| -> Option<Box<dyn Conversion<Frame, Frame>>> {
            if input.codec == codec {
                return Some(Box::new(Unchanged));
            }
            services.converters.load().transcoder(input, codec).map(|(_, conversion)| conversion)
        };
        let running = Running {
            input,
            output,
            bell,
            conversion: (source.codec, conversion),
            make: Box::new(make),
            retire: retire(Arc::downgrade(self), Arc::downgrade(&rendition)),
        };
        Ok((rendition, running))
    }

    pub(crate) fn end(&self) {
        self.native.end();
        self.named.lock().iter().for_each(|rendition| rendition.end());
    }
}

fn retire(track: Weak<Track>, rendition: Weak<Rendition>) -> Box<dyn Fn(bool) -> bool + Send> {
    Box::new(move |over| {
        let (track, rendition) = (track.upgrade(), rendition.upgrade());
        let Some(rendition) = rendition else {
            return true;
        };
        if let Some(track) = track {
            let mut converted = track.converted.lock();
            if !over && rendition.native_readers() > 0 {
                return false;
            }
            converted.retain(|(_, known)| !Arc::ptr_eq(known, &rendition));
            if !over {
                tracing::info!(kind = %track.kind, "a conversion ends: no viewer needs it any more");
            }
        }
        rendition.end();
        true
    })
}

/// For a source that has changed to the codec that its viewers wanted.
struct Unchanged;

impl Conversion<Frame, Frame> for Unchanged {
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Frame>) {
        out.share_parameters(parameters);
    }

    fn item(&mut self, item: &Frame, out: &mut LaneWriter<Frame>) {
        out.push(item.clone());
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Frame>) {
        out.discontinuity();
    }
}
