//! What our side says at the end of a connection: the frames that go out are read for a GOAWAY.
//!
//! The end that hyper reports is no judge: the peer's own GOAWAY, or a socket that it breaks off, hides why we ended the
//! connection. Knows no peer.

use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes before the payload of a frame (RFC 9113 §4.1).
const HEAD: usize = 9;

/// Type of the frame that ends a connection.
const GOAWAY: u8 = 7;

/// Error code of a GOAWAY to a peer that sends more than anybody needs.
const ENHANCE_YOUR_CALM: u32 = 11;

/// What of a frame is read: its head and, of a GOAWAY, last stream, code and the start of what it says.
const READ: usize = HEAD + 8 + 8;

/// Whether a connection was ended for abuse.
#[derive(Debug, Default)]
pub struct Verdict(AtomicBool);

impl Verdict {
    /// Whether it was: floods of resets or empty frames. Headers that are too long are no flood.
    #[must_use]
    pub fn is_abuse(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The frames of one connection, as they go out piece by piece.
#[derive(Debug)]
pub struct Frames {
    start: [u8; READ],
    /// Bytes of the frame that were seen.
    seen: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { start: [0; READ], seen: 0 }
    }
}

impl Frames {
    /// Reads on.
    pub fn read(&mut self, mut bytes: &[u8], verdict: &Verdict) {
        while !bytes.is_empty() {
            let wanted = if self.seen < HEAD { HEAD } else { self.length() };
            let taken = bytes.len().min(wanted - self.seen);
            if let Some(room) = self.start.get_mut(self.seen..) {
                let kept = taken.min(room.len());
                room[..kept].copy_from_slice(&bytes[..kept]);
            }
            self.seen += taken;
            bytes = &bytes[taken..];
            if self.seen >= HEAD && self.seen == self.length() {
                if self.start[3] == GOAWAY && self.says_flood() {
                    verdict.0.store(true, Ordering::Release);
                }
                self.seen = 0;
            }
        }
    }

    /// Of the whole frame.
    fn length(&self) -> usize {
        let [a, b, c, ..] = self.start;
        HEAD + u32::from_be_bytes([0, a, b, c]) as usize
    }

    /// h2 says why in the frame's debug data: `too_many_resets`, `too_many_internal_resets`, `too_many_data_frames`,
    /// `too_many_continuations`.
    fn says_flood(&self) -> bool {
        let code = &self.start[HEAD + 4..HEAD + 8];
        code == ENHANCE_YOUR_CALM.to_be_bytes()
            && self.length() >= READ
            && &self.start[HEAD + 8..] == b"too_many"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 0], payload].concat()
    }

    fn goaway(code: u8, said: &str) -> Vec<u8> {
        frame(GOAWAY, &[&[0, 0, 0, 9, 0, 0, 0, code], said.as_bytes()].concat())
    }

    #[test]
    fn a_goaway_for_a_flood_is_seen_in_any_pieces_and_no_other_frame_is_taken_for_one() {
        let flood = goaway(11, "too_many_resets");
        let harmless = [
            frame(0, &flood),
            frame(0, &[7; 20_000]),
            frame(4, &[]),
            goaway(0, ""),
            goaway(1, "too_many_resets"),
            goaway(11, "header_list_way_too_large"),
            goaway(11, ""),
        ]
        .concat();
        for size in [1, 3, 9, 17, 4_096, 1 << 20] {
            let (verdict, mut frames) = (Verdict::default(), Frames::default());
            harmless.chunks(size).for_each(|piece| frames.read(piece, &verdict));
            assert!(!verdict.is_abuse(), "{size}");
            flood.chunks(size).for_each(|piece| frames.read(piece, &verdict));
            assert!(verdict.is_abuse(), "{size}");
        }
    }
}
