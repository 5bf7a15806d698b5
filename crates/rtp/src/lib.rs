//! RTP payload formats: packetize and depacketize, and a header view.
