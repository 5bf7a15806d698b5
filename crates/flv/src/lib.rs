//! FLV tags and files, with the enhanced (FourCC) audio and video headers.
