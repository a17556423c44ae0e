//! Text in, token matrices out.
