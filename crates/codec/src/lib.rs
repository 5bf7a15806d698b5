//! Bitstream headers of H.264, H.265, AV1, VP8, VP9, AAC and Opus: parse, describe, convert.
