//! Bytes put over others.

use arbitrary::Arbitrary;

/// One to four bytes, and the place that they are put at, counted on from the start where there are fewer.
#[derive(Debug, Arbitrary)]
pub struct Patch {
    at: u32,
    bytes: [u8; 4],
    many: u8,
}

impl Patch {
    pub fn apply(&self, bytes: &mut [u8]) {
        let length = bytes.len().max(1);
        let many = 1 + usize::from(self.many) % 4;
        for (at, byte) in bytes.iter_mut().skip(self.at as usize % length).zip(&self.bytes[..many]) {
            *at = *byte;
        }
    }
}
