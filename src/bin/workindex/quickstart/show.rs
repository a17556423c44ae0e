//! Texts, their rankings, and what to do next.

use std::path::Path;
use std::time::{Duration, Instant};

use workindex::{Kind, RankOptions, WorkIndex};

use super::ontology;
use crate::console::{Console, print};
use crate::encoder::Choice;
use crate::failure::Outcome;
use crate::{layout, rank, units};

/// Hits of each ranking.
const TOP: usize = 5;

/// The widest a ranking gets; also its width in a pipe.
const WIDTH: usize = 80;

/// Texts, and what to look for in their rankings.
const FOR_SKILLS: [(&str, &str); 5] = [
    ("Senior data engineer", "A job title. Its skills are what such a person does:"),
    (
        "Welder TIG/MIG - immediate start!",
        "The noise of a vacancy weighs little, because every token counts by itself:",
    ),
    ("Electrician solar installations", "A title with two subjects finds the skills of both:"),
    (
        "We are looking for someone to weld stainless steel pipes and read blueprints.",
        "A sentence with two demands; the second is worded otherwise in the ontology:",
    ),
    ("You will build and maintain ETL pipelines in Python and SQL.", "A sentence with tasks and tools:"),
];
const FOR_OCCUPATIONS: [(&str, &str); 1] =
    [("Truck driver C+E international (m/f/d)", "The same with another space, occupations instead of skills:")];

/// Ranks the texts and prints the rankings.
pub fn rankings(index: &Path, console: &Console) -> Outcome {
    let index = WorkIndex::open(index)?;
    print("3. A text ranks all concepts of a space. Scores are means over tokens, up to 1.\n")?;
    let mut time = Duration::ZERO;
    let mut ranked = 0;
    for (kind, texts) in [(Kind::SKILL, FOR_SKILLS.as_slice()), (Kind::OCCUPATION, FOR_OCCUPATIONS.as_slice())] {
        let space = index.space(&ontology::space(&kind))?;
        for (text, note) in texts {
            console.check()?;
            let start = Instant::now();
            let ranking = space.rank(text, &RankOptions::top(TOP))?;
            time += start.elapsed();
            ranked += 1;
            let width = layout::terminal_width().unwrap_or(WIDTH).min(WIDTH);
            print(format_args!("{note}\n\n{}", rank::as_table(&ranking, Some(width))))?;
        }
    }
    print(format_args!("{} ranked in {}, encoding included.\n", units::counted(ranked, "text"), units::duration(time)))
}

/// How to try out this index, and how to do the same with a real ESCO download.
pub fn next_steps(encoder: &Choice, index: &Path) -> String {
    let program = quoted(&std::env::args().next().unwrap_or_else(|| "workindex".to_string()));
    let index = quoted(&index.display().to_string());
    let encoder = match encoder {
        Choice::BuiltIn => String::new(),
        Choice::Dir(dir) => format!(" --encoder \\\n      {}", quoted(&dir.display().to_string())),
    };
    let space = format!("{}/{}/{}", ontology::NAME, Kind::SKILL, ontology::LANGUAGE);
    format!(
        "Your turn:\n
  {program} rank {index} \\
      {space} 'your text'

The same with ESCO itself, downloaded as CSV (classification and relations)
from https://esco.ec.europa.eu/en/use-esco/download:\n
  {program} init esco.index{encoder}
  {program} ingest esco esco.index \\
      'ESCO dataset - v1.1.1 - classification - en - csv.zip' \\
      'ESCO dataset - v1.1.1 - relations - csv.zip'
  {program} rank esco.index esco/skill/en 'Senior data engineer'"
    )
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("/home/me/a-b_c.index"), "/home/me/a-b_c.index");
        assert_eq!(quoted("/home/my files"), "'/home/my files'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
