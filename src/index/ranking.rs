//! Ranking a space: for a text, a token matrix, or thousands of them.

use roaring::RoaringBitmap;

use super::space::{Inner, Space};
use crate::encoder::Encoded;
use crate::error::{Error, Result};
use crate::late_interaction::Rule;
use crate::late_interaction::query::PreparedQuery;
use crate::monitor::Monitor;
use crate::rank::{self, Hit, Outcome, RankOptions, RankedTargets, Ranking, Request, Scored};
use crate::token_matrix::TokenMatrix;

/// Queries that are encoded and ranked before the next ones are: a few tens of MB of token embeddings.
const PART: usize = 256;

impl Space {
    /// Ranks the space for a text; by the space's [default rule](Self::default_rule) unless the options have one.
    ///
    /// # Errors
    /// [`Error::EmptyText`] for a text with nothing to embed, [`Error::InvalidOption`] for a rule out of its range or a
    /// space whose encoder runs elsewhere, and what a damaged index gives.
    pub fn rank(&self, text: &str, options: &RankOptions) -> Result<Ranking> {
        let rankings = self.rank_rules(text, options, &[self.rule(options)?])?;
        rankings.into_iter().next().ok_or_else(no_ranking)
    }

    /// Ranks the space for a text by several rules, in one pass over the data; the rule of the options plays no part. The
    /// rankings are in the order of the rules, each equal to that of [`rank`](Self::rank) by its rule.
    ///
    /// ```no_run
    /// # let index = workindex::WorkIndex::open("work.index")?;
    /// use workindex::{RankOptions, Rule};
    /// let rules = [Rule::default(), Rule::max_sim(), Rule::mean_pool()];
    /// let rankings = index.space("esco/skill/en")?.rank_rules("welder", &RankOptions::top(10), &rules)?;
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`rank`](Self::rank).
    pub fn rank_rules(&self, text: &str, options: &RankOptions, rules: &[Rule]) -> Result<Vec<Ranking>> {
        rules.iter().try_for_each(Rule::validate)?;
        let text = text.trim();
        check_not_empty(text)?;
        let encoder = self.encoder()?;
        let encoded = self
            .inner
            .pool
            .run(self.serial(options), || encoder.encode_on(text, encoder.query_side(options.query_kind.as_deref())))?;
        check_has_tokens(text, &encoded)?;
        let query = self.prepare(&encoded.matrix)?;
        let asked = Asked::new(self, options, rules)?;
        let outcomes = asked.answer(std::slice::from_ref(&query), &Monitor::silent())?;
        let outcomes = outcomes.into_iter().flatten().zip(rules);
        outcomes.map(|(outcome, rule)| self.ranking(Some(text), encoded.truncated, *rule, outcome)).collect()
    }

    /// Ranks the space for many texts at once: encoded and scored in batches, on all cores.
    ///
    /// The rankings are in the order of the texts and equal to those of [`rank`](Self::rank) one by one, to within the
    /// encoder's rounding. For more rankings than fit in memory there is [`rank_each`](Self::rank_each).
    ///
    /// # Errors
    /// As [`rank`](Self::rank), for the first text at fault, and [`Error::Cancelled`].
    pub fn rank_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RankOptions,
        monitor: &Monitor,
    ) -> Result<Vec<Ranking>> {
        let (rule, mut rankings) = (self.rule(options)?, Vec::with_capacity(texts.len()));
        self.answer_texts(texts, options, monitor, |text, truncated, outcome| {
            rankings.push(self.ranking(Some(text), truncated, rule, outcome)?);
            Ok(())
        })?;
        Ok(rankings)
    }

    /// Ranks the space for any number of texts and hands over each ranking when it is ready, in the order of the texts, with
    /// its place among them. Memory does not grow with the number of texts.
    ///
    /// # Errors
    /// As [`rank_batch`](Self::rank_batch), checked for all texts before the first is ranked, but for a text in which the
    /// tokenizer finds nothing: there, and when cancelled, rankings of texts before it may have been handed over.
    pub fn rank_each<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RankOptions,
        monitor: &Monitor,
        mut each: impl FnMut(usize, RankedTargets),
    ) -> Result<()> {
        let mut place = 0;
        self.answer_texts(texts, options, monitor, |_, truncated, outcome| {
            each(place, ranked_targets(truncated, outcome));
            place += 1;
            Ok(())
        })
    }

    /// Ranks the space for a token matrix made elsewhere, by the same encoder as the space's.
    ///
    /// # Errors
    /// [`Error::Matrix`] when its rows have another length than the space's, [`Error::InvalidOption`].
    pub fn rank_matrix(&self, matrix: &TokenMatrix, options: &RankOptions) -> Result<Ranking> {
        let mut rankings = self.rank_matrices(std::slice::from_ref(matrix), options, &Monitor::silent())?;
        rankings.pop().ok_or_else(no_ranking)
    }

    /// Ranks the space for many token matrices.
    ///
    /// # Errors
    /// As [`rank_matrix`](Self::rank_matrix), and [`Error::Cancelled`].
    pub fn rank_matrices(
        &self,
        matrices: &[TokenMatrix],
        options: &RankOptions,
        monitor: &Monitor,
    ) -> Result<Vec<Ranking>> {
        let (rule, mut rankings) = (self.rule(options)?, Vec::with_capacity(matrices.len()));
        self.answer_matrices(matrices, options, monitor, |outcome| {
            rankings.push(self.ranking(None, false, rule, outcome)?);
            Ok(())
        })?;
        Ok(rankings)
    }

    /// Ranks the space for any number of token matrices, as [`rank_each`](Self::rank_each) does for texts.
    ///
    /// # Errors
    /// As [`rank_matrices`](Self::rank_matrices).
    pub fn rank_each_matrix(
        &self,
        matrices: &[TokenMatrix],
        options: &RankOptions,
        monitor: &Monitor,
        mut each: impl FnMut(usize, RankedTargets),
    ) -> Result<()> {
        let mut place = 0;
        self.answer_matrices(matrices, options, monitor, |outcome| {
            each(place, ranked_targets(false, outcome));
            place += 1;
            Ok(())
        })
    }

    /// Scores all targets for any number of token matrices by several rules, in one pass over the data: what an evaluation
    /// reads of thousands of queries, and a matrix of scores is made from. Memory does not grow with their number.
    ///
    /// `summarise` is handed the place of a matrix, the place of a rule, and the scores of all targets in the order of the
    /// space, at full precision; it runs on several threads. `each` gets what it returned for a matrix, one for each rule, in the order
    /// of the matrices. Of the options only [`serial`](RankOptions::serial) plays a part.
    ///
    /// ```no_run
    /// # use workindex::{Monitor, RankOptions, Rule, WorkIndex, read_matrices};
    /// # let index = WorkIndex::open("work.index")?;
    /// # let queries = read_matrices("queries.safetensors".as_ref())?;
    /// let (space, rules) = (index.space("esco/skill/en")?, [Rule::default(), Rule::max_sim()]);
    /// let best = |_, _, scores: Vec<f32>| scores.into_iter().fold(f32::NEG_INFINITY, f32::max);
    /// space.score_each_matrix(&queries, &RankOptions::full(), &rules, &Monitor::silent(), best, |query, best| {
    ///     println!("{query}: {:.3} by soft late interaction, {:.3} by MaxSim", best[0], best[1]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), workindex::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Matrix`] when a matrix has rows of another length than the space's, [`Error::InvalidOption`],
    /// [`Error::Cancelled`], and what `each` returns.
    pub fn score_each_matrix<R: Send>(
        &self,
        matrices: &[TokenMatrix],
        options: &RankOptions,
        rules: &[Rule],
        monitor: &Monitor,
        summarise: impl Fn(usize, usize, Vec<f32>) -> R + Sync + Send,
        mut each: impl FnMut(usize, Vec<R>) -> Result<()> + Send,
    ) -> Result<()> {
        rules.iter().try_for_each(Rule::validate)?;
        let serial = self.serial(options);
        let request = Request { rules, allowed: None, k: None, parallel: !serial };
        for (part, of_part) in matrices.chunks(PART).enumerate() {
            let first = part * PART;
            let monitor = monitor.part(first as u64, matrices.len() as u64);
            let queries = of_part.iter().map(|matrix| self.prepare(matrix)).collect::<Result<Vec<_>>>()?;
            let summarise = |query: usize, rule, scores| summarise(first + query, rule, scores);
            let each = |query: usize, made| each(first + query, made);
            let (data, plan) = (&self.inner.data, self.plan());
            self.inner
                .pool
                .run(serial, || rank::score_all(data, plan, &queries, &request, &monitor, summarise, each))?;
        }
        Ok(())
    }

    /// The rule of a ranking, in its range.
    pub(super) fn rule(&self, options: &RankOptions) -> Result<Rule> {
        match options.rule {
            Some(rule) => rule.validate().map(|()| rule),
            None => self.default_rule_for(options.query_kind.as_deref()),
        }
    }

    /// Whether a ranking stays on the calling thread.
    fn serial(&self, options: &RankOptions) -> bool {
        options.serial || self.inner.pool.is_serial()
    }

    fn answer_texts<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: &RankOptions,
        monitor: &Monitor,
        mut each: impl FnMut(&str, bool, Outcome) -> Result<()>,
    ) -> Result<()> {
        let rules = [self.rule(options)?];
        let texts: Vec<&str> = texts.iter().map(|text| text.as_ref().trim()).collect();
        for (at, text) in texts.iter().enumerate() {
            check_not_empty(text).map_err(|error| error.in_batch(at))?;
        }
        if texts.is_empty() {
            return Ok(());
        }
        let encoder = self.encoder()?;
        let side = encoder.query_side(options.query_kind.as_deref());
        let asked = Asked::new(self, options, &rules)?;
        for (part, of_part) in texts.chunks(PART).enumerate() {
            let first = part * PART;
            let monitor = monitor.part(first as u64, texts.len() as u64);
            let encode = || match self.serial(options) {
                true => encoder.encode_batch_serially_on(of_part, side, &monitor),
                false => encoder.encode_batch_on(of_part, side, &monitor),
            };
            let encoded = self.inner.pool.run(self.serial(options), encode).map_err(|error| error.in_part(first))?;
            for (at, (text, encoded)) in of_part.iter().zip(&encoded).enumerate() {
                check_has_tokens(text, encoded).map_err(|error| error.in_batch(first + at))?;
            }
            let queries = encoded.iter().map(|encoded| self.prepare(&encoded.matrix)).collect::<Result<Vec<_>>>()?;
            let outcomes = asked.answer(&queries, &monitor)?;
            for ((text, encoded), outcomes) in of_part.iter().zip(&encoded).zip(outcomes) {
                outcomes.into_iter().try_for_each(|outcome| each(text, encoded.truncated, outcome))?;
            }
        }
        Ok(())
    }

    fn answer_matrices(
        &self,
        matrices: &[TokenMatrix],
        options: &RankOptions,
        monitor: &Monitor,
        mut each: impl FnMut(Outcome) -> Result<()>,
    ) -> Result<()> {
        let rules = [self.rule(options)?];
        let asked = Asked::new(self, options, &rules)?;
        for (part, of_part) in matrices.chunks(PART).enumerate() {
            let monitor = monitor.part((part * PART) as u64, matrices.len() as u64);
            let queries = of_part.iter().map(|matrix| self.prepare(matrix)).collect::<Result<Vec<_>>>()?;
            asked.answer(&queries, &monitor)?.into_iter().flatten().try_for_each(&mut each)?;
        }
        Ok(())
    }

    fn ranking(&self, query: Option<&str>, truncated: bool, rule: Rule, outcome: Outcome) -> Result<Ranking> {
        let exact = query.map(|query| self.exact_matches(query)).transpose()?.unwrap_or_default();
        let targets = &self.inner.data.targets;
        let hit = |(at, scored): (usize, Scored)| {
            let target = scored.target as usize;
            // The table was checked to be sound when the space was opened: each target has an id and a label.
            let (id, label) =
                (targets.ids.get(target).unwrap_or_default(), targets.labels.get(target).unwrap_or_default());
            let exact = exact.iter().find(|(at, _)| *at == scored.target).map(|(_, exact)| *exact);
            Hit { rank: at + 1, score: scored.score, target, id, label, exact }
        };
        let hits = outcome.scored.into_iter().enumerate().map(hit).collect();
        let (query, space) = (query.map(str::to_string), self.name().clone());
        Ok(Ranking { query, truncated, space, rule, certificate: outcome.certificate, hits })
    }
}

/// What is asked of a space, whatever the query.
struct Asked<'a> {
    space: &'a Space,
    rules: &'a [Rule],
    options: &'a RankOptions,
    allowed: Option<RoaringBitmap>,
}

impl<'a> Asked<'a> {
    fn new(space: &'a Space, options: &'a RankOptions, rules: &'a [Rule]) -> Result<Self> {
        let Inner { snapshot, data, .. } = &*space.inner;
        let filter = options.filter.as_ref();
        let allowed = filter.map(|filter| rank::filter_targets(filter, snapshot, data)).transpose()?;
        Ok(Self { space, rules, options, allowed })
    }

    /// The answers to queries, each by each rule.
    fn answer(&self, queries: &[PreparedQuery], monitor: &Monitor) -> Result<Vec<Vec<Outcome>>> {
        let (k, serial) = (self.options.k, self.space.serial(self.options));
        let request = Request { rules: self.rules, allowed: self.allowed.as_ref(), k, parallel: !serial };
        let (data, plan) = (&self.space.inner.data, self.space.plan());
        self.space.inner.pool.run(serial, || rank::execute(data, plan, queries, &request, monitor))
    }
}

fn ranked_targets(truncated: bool, outcome: Outcome) -> RankedTargets {
    let (targets, scores) = outcome.scored.into_iter().map(|scored| (scored.target, scored.score)).unzip();
    RankedTargets { targets, scores, truncated, certificate: outcome.certificate }
}

pub(super) fn check_not_empty(text: &str) -> Result<()> {
    if text.is_empty() { Err(empty(text, "it is empty or only white space")) } else { Ok(()) }
}

pub(super) fn check_has_tokens(text: &str, encoded: &Encoded) -> Result<()> {
    if encoded.content_tokens == 0 {
        return Err(empty(text, "the encoder's tokenizer finds no token in it"));
    }
    Ok(())
}

fn empty(text: &str, problem: &'static str) -> Error {
    Error::EmptyText { text: text.chars().take(40).collect(), position: None, problem }
}

/// One query gives one ranking; this is what the impossible rest would be.
fn no_ranking() -> Error {
    Error::Matrix { expected: "one ranking".to_string(), got: "none".to_string() }
}
