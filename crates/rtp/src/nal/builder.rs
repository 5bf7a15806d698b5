//! Puts frames of NAL units together (RFC 6184 §5.6 to §5.8, RFC 7798 §4.4).

use std::marker::PhantomData;

use headwater_codec::Reader;
use headwater_media::{TrackParameters, limits};

use crate::RtpError;
use crate::video::{Built, FrameBuilder};

use super::{NalFormat, ParameterSets, Role, Unit};

/// Collects NAL units behind lengths of four bytes; parameter sets go into the configuration record instead.
pub(crate) struct NalBuilder<F> {
    data: Vec<u8>,
    /// Where the length of the unit begun stands, while its fragments come in.
    open: Option<usize>,
    slices: usize,
    sets: ParameterSets,
    /// A parameter set has changed since the record was made.
    changed: bool,
    parameters: TrackParameters,
    format: PhantomData<F>,
}

impl<F: NalFormat> NalBuilder<F> {
    pub(crate) fn new(parameters: TrackParameters) -> NalBuilder<F> {
        let mut sets = ParameterSets::default();
        for set in F::sets_of(&parameters) {
            if let Some(key) = F::set_key(&set) {
                let _ = sets.insert(key, &set);
            }
        }
        NalBuilder { data: Vec::new(), open: None, slices: 0, sets, changed: false, parameters, format: PhantomData }
    }

    fn add_whole(&mut self, nal: &[u8]) -> Result<(), RtpError> {
        if self.open.is_some() {
            return Err(RtpError::payload(F::NAME, "a fragmented unit does not end"));
        }
        self.open = Some(self.data.len());
        self.extend(&[0; 4])?;
        self.extend(nal)?;
        self.end_unit()
    }

    fn extend(&mut self, part: &[u8]) -> Result<(), RtpError> {
        if self.data.len().saturating_add(part.len()) > limits::FRAME_BYTES.get_usize() {
            limits::FRAME_BYTES.hit();
            return Err(RtpError::TooLarge { limit: limits::FRAME_BYTES.name });
        }
        self.data.extend_from_slice(part);
        Ok(())
    }

    /// Fills in the length of the unit begun; takes it out again if it is a parameter set.
    fn end_unit(&mut self) -> Result<(), RtpError> {
        let start = self.open.take().unwrap_or(self.data.len());
        let Some((length, nal)) = self.data.get_mut(start..).and_then(|unit| unit.split_first_chunk_mut::<4>()) else {
            return Ok(());
        };
        if nal.len() < F::HEADER_BYTES {
            return Err(RtpError::payload(F::NAME, "a unit is shorter than its header"));
        }
        *length = u32::try_from(nal.len()).unwrap_or(u32::MAX).to_be_bytes();
        match F::role(nal) {
            Role::Slice => self.slices += 1,
            Role::ParameterSet => {
                let key = F::set_key(nal).ok_or(RtpError::payload(F::NAME, "a parameter set has no id"))?;
                self.changed |= self.sets.insert(key, nal)?;
                self.data.truncate(start);
            }
            Role::Padding => self.data.truncate(start),
            Role::Other => {}
        }
        Ok(())
    }
}

impl<F: NalFormat> FrameBuilder for NalBuilder<F> {
    fn is_start(&self, payload: &[u8]) -> bool {
        /// `first_mb_in_slice` 0 of H.264 and `first_slice_segment_in_pic_flag` of H.265.
        fn begins_picture(slice: &[u8]) -> bool {
            slice.first().is_some_and(|byte| byte & 0x80 != 0)
        }
        let whole = |nal: &[u8]| F::role(nal) != Role::Slice || nal.get(F::HEADER_BYTES..).is_some_and(begins_picture);
        match F::read(payload) {
            Ok(Unit::Whole(nal)) => whole(nal),
            Ok(Unit::Aggregate(nals)) => nals.get(2..).is_some_and(whole),
            Ok(Unit::Fragment { is_first, header, data, .. }) => {
                is_first && (F::role(&header) != Role::Slice || begins_picture(data))
            }
            Err(_) => false,
        }
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), RtpError> {
        match F::read(payload)? {
            Unit::Whole(nal) => self.add_whole(nal),
            Unit::Aggregate(nals) => {
                let reader = &mut Reader::new(F::NAME, nals);
                while !reader.is_empty() {
                    let length = reader.u16()?;
                    self.add_whole(reader.take(usize::from(length))?)?;
                }
                Ok(())
            }
            Unit::Fragment { is_first, is_last, header, data } => {
                if is_first == self.open.is_some() {
                    return Err(RtpError::payload(F::NAME, "a fragment does not continue the one before"));
                }
                if is_first {
                    self.open = Some(self.data.len());
                    self.extend(&[0; 4])?;
                    self.extend(&header)?;
                }
                self.extend(data)?;
                if is_last { self.end_unit() } else { Ok(()) }
            }
        }
    }

    fn finish(&mut self) -> Result<Option<Built>, RtpError> {
        if self.open.is_some() {
            return Err(RtpError::payload(F::NAME, "a fragmented unit does not end"));
        }
        if self.slices == 0 {
            self.data.clear();
            return Ok(None);
        }
        let mut parameters = None;
        if self.changed {
            let found = F::parameters(&self.sets)?;
            self.changed = false;
            if found != self.parameters {
                self.parameters = found.clone();
                parameters = Some(found);
            }
        }
        let data = bytes::Bytes::from(std::mem::take(&mut self.data));
        self.slices = 0;
        // Without parameter sets no decoder can start.
        let random_access = !self.parameters.config.is_empty() && F::is_random_access(&data);
        Ok(Some(Built { data, random_access, parameters }))
    }

    fn clear(&mut self) {
        self.data.clear();
        self.open = None;
        self.slices = 0;
    }
}
