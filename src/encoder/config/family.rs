//! The model families that are read.

/// A model family, named as `model_type` in config.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Devlin et al. 2018, arXiv 1810.04805.
    Bert,
    /// Liu et al. 2019, arXiv 1907.11692.
    Roberta,
    /// Conneau et al. 2019, arXiv 1911.02116.
    XlmRoberta,
    /// Song et al. 2020, arXiv 2004.09297.
    MpNet,
    /// Sanh et al. 2019, arXiv 1910.01108.
    DistilBert,
    /// Warner et al. 2024, arXiv 2412.13663.
    ModernBert,
}

impl Family {
    pub(crate) const ALL: [Self; 6] =
        [Self::Bert, Self::Roberta, Self::XlmRoberta, Self::MpNet, Self::DistilBert, Self::ModernBert];

    /// The `model_type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::MpNet => "mpnet",
            Self::DistilBert => "distilbert",
            Self::ModernBert => "modernbert",
        }
    }

    /// The family of a `model_type`.
    pub(crate) fn of(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == model_type)
    }

    /// What checkpoints that were saved together with a head put before the name of each of the model's tensors.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta | Self::XlmRoberta => "roberta.",
            Self::MpNet => "mpnet.",
            Self::DistilBert => "distilbert.",
            Self::ModernBert => "model.",
        }
    }
}
