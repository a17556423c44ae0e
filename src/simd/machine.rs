//! What an instruction set adds to plain loops over arrays, which the compiler turns into vector instructions.

/// Two things that the compiler does not do by itself.
pub(crate) trait Machine {
    /// a · b + c, rounded once or twice.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;

    /// Fetches the cache line of `bytes`' first byte, which will soon be read. A hint.
    fn prefetch(bytes: &[u8]);
}

/// Every machine: two roundings.
pub(crate) struct Plain;

impl Machine for Plain {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }

    #[inline(always)]
    fn prefetch(_: &[u8]) {}
}
