//! Derives packet lanes from frame lanes and back, once per rendition and only while someone reads.
