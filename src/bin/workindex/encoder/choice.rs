//! Which encoder a command is given: a model directory, or the one that is built in.

use std::ffi::OsString;
use std::path::PathBuf;

use workindex::{Checkpoint, Encoder};

use crate::failure::Outcome;

/// What stands for the encoder that is built in. A folder of that name is `./built-in`.
pub const BUILT_IN: &str = "built-in";

/// An encoder, as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    BuiltIn,
    Dir(PathBuf),
}

impl From<OsString> for Choice {
    fn from(text: OsString) -> Self {
        if text == BUILT_IN { Self::BuiltIn } else { Self::Dir(text.into()) }
    }
}

impl Choice {
    /// The model, its files hashed and its weights not loaded.
    pub fn checkpoint(&self) -> Outcome<Checkpoint> {
        match self {
            Self::Dir(dir) => Ok(Checkpoint::open(dir)?),
            Self::BuiltIn => built_in(),
        }
    }

    /// The model with its own settings, loaded.
    pub fn open(&self) -> Outcome<Encoder> {
        let checkpoint = self.checkpoint()?;
        let settings = checkpoint.default_settings();
        Ok(Encoder::from_checkpoint(checkpoint, settings)?)
    }
}

#[cfg(feature = "built-in")]
fn built_in() -> Outcome<Checkpoint> {
    Ok(Checkpoint::built_in()?)
}

#[cfg(not(feature = "built-in"))]
fn built_in() -> Outcome<Checkpoint> {
    Err(crate::failure::Failure::new(
        "this program was built without an encoder of its own",
        "give a model directory with --encoder; `workindex encoder fetch` gets one",
    ))
}

/// What is shown of an encoder's place: the folder that the user knows, or that it is built in.
pub fn shown(choice: &Choice) -> String {
    match choice {
        Choice::BuiltIn => "built in".to_string(),
        Choice::Dir(dir) => dir.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_stands_for_the_encoder_that_is_built_in() {
        let choice = |text: &str| Choice::from(OsString::from(text));
        assert_eq!(choice("built-in"), Choice::BuiltIn);
        for folder in ["./built-in", "minilm", "built-in/"] {
            assert_eq!(choice(folder), Choice::Dir(folder.into()));
        }
    }
}
