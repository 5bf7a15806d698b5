//! Puts temporal units together from OBU elements.

use bytes::Bytes;
use headwater_codec::Reader;
use headwater_codec::av1::{self, Av1Config, Obu, obu_type, read_leb128, write_sized};
use headwater_codec::parameters::from_config;
use headwater_media::{Codec, TrackParameters};

use crate::RtpError;
use crate::video::{Built, FrameBuilder};
use crate::vp8::append;

use super::{NAME, aggregation};

/// Collects OBUs, each with a size field; temporal delimiters, tile lists and padding are left out.
pub(crate) struct Av1Builder {
    data: Vec<u8>,
    /// The element that goes on in the next packet.
    pending: Vec<u8>,
    /// The newest sequence header as OBU, if it differs from that in the parameters.
    sequence_header: Option<Bytes>,
    parameters: TrackParameters,
}

impl Av1Builder {
    pub(crate) fn new(parameters: TrackParameters) -> Av1Builder {
        Av1Builder { data: Vec::new(), pending: Vec::new(), sequence_header: None, parameters }
    }

    fn add_element(&mut self, element: &[u8], continues: bool, goes_on: bool) -> Result<(), RtpError> {
        if continues == self.pending.is_empty() {
            return Err(RtpError::payload(NAME, "an element does not continue the one before"));
        }
        if continues || goes_on {
            append(&mut self.pending, element)?;
        }
        if goes_on {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.add_obu(if continues { &pending } else { element })?;
        self.pending = pending;
        self.pending.clear();
        Ok(())
    }

    fn add_obu(&mut self, element: &[u8]) -> Result<(), RtpError> {
        let (obu, _) = Obu::read(element)?;
        match obu.obu_type() {
            obu_type::TEMPORAL_DELIMITER | obu_type::TILE_LIST | obu_type::PADDING => return Ok(()),
            obu_type::SEQUENCE_HEADER => self.sequence_header = Some(Bytes::copy_from_slice(element)),
            _ => {}
        }
        append(&mut self.data, &[])?;
        write_sized(&obu, &mut self.data);
        Ok(())
    }

    /// The parameters that the newest sequence header makes, if they differ.
    fn take_note(&mut self) -> Result<Option<TrackParameters>, RtpError> {
        let Some(element) = self.sequence_header.take() else {
            return Ok(None);
        };
        let (obu, _) = Obu::read(&element)?;
        let record = Av1Config::from_sequence_header(&obu)?;
        let known = Av1Config::parse(&self.parameters.config);
        let known_payload = known.as_ref().ok().and_then(Av1Config::sequence_header).map(|obu| obu.payload);
        if known_payload == Some(obu.payload) {
            return Ok(None);
        }
        self.parameters = from_config(Codec::Av1, record.write())?;
        Ok(Some(self.parameters.clone()))
    }
}

impl FrameBuilder for Av1Builder {
    fn is_start(&self, payload: &[u8]) -> bool {
        payload.first().is_some_and(|head| head & aggregation::CONTINUES == 0)
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), RtpError> {
        let reader = &mut Reader::new(NAME, payload);
        let head = reader.u8()?;
        let count = usize::from((head >> aggregation::COUNT_SHIFT) & 3);
        let mut index = 0;
        while !reader.is_empty() {
            let is_unprefixed = count != 0 && index + 1 == count;
            let size = if is_unprefixed { reader.rest().len() } else { read_leb128(reader)? };
            let element = reader.take(size)?;
            let continues = index == 0 && head & aggregation::CONTINUES != 0;
            let goes_on = reader.is_empty() && head & aggregation::GOES_ON != 0;
            self.add_element(element, continues, goes_on)?;
            index += 1;
        }
        if index == 0 || (count != 0 && index != count) {
            return Err(RtpError::payload(NAME, "it has another number of elements than it says"));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<Built>, RtpError> {
        if !self.pending.is_empty() {
            return Err(RtpError::payload(NAME, "an element does not end"));
        }
        if self.data.is_empty() {
            return Ok(None);
        }
        let data = Bytes::from(std::mem::take(&mut self.data));
        let parameters = self.take_note()?;
        let is_known = parameters.is_some() || !self.parameters.config.is_empty();
        Ok(Some(Built { random_access: is_known && av1::is_key_frame(&data), data, parameters }))
    }

    fn clear(&mut self) {
        self.data.clear();
        self.pending.clear();
        self.sequence_header = None;
    }
}
