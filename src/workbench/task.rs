//! The tasks, and the sets that each is judged on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

/// A ranking task: the six of WorkBench ("Unified Work Embeddings", arXiv 2511.07969), and more with the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// An occupation of ESCO → its skills.
    Job2Skill,
    /// A skill of ESCO → the occupations that need it.
    Skill2Job,
    /// The title of a vacancy → its occupation in ESCO.
    JobNormalisation,
    /// An alternative label → its skill in ESCO.
    SkillNormalisation,
    /// A sentence of a vacancy → the skills of ESCO that it asks for.
    SkillExtraction,
    /// A skill → a related one (SkillMatch-1K).
    SkillSimilarity,
    /// A job title → titles that mean the same (TREC judgements).
    TitleSimilarity,
    /// An occupation of a national taxonomy → ESCO's names of it (MELO).
    Melo,
    /// Occupation ↔ technology in O*NET.
    OnetTechnology,
    /// Occupation ↔ task statement in O*NET.
    OnetTask,
    /// Occupation ↔ alternate title in O*NET.
    OnetTitle,
}

impl Task {
    /// The six of WorkBench, then the others.
    pub const ALL: [Task; 11] = [
        Task::Job2Skill,
        Task::Skill2Job,
        Task::JobNormalisation,
        Task::SkillNormalisation,
        Task::SkillExtraction,
        Task::SkillSimilarity,
        Task::TitleSimilarity,
        Task::Melo,
        Task::OnetTechnology,
        Task::OnetTask,
        Task::OnetTitle,
    ];

    /// Whether it is one of the six, whose mean is WorkBench's macro average.
    pub fn is_of_workbench(self) -> bool {
        self <= Task::SkillSimilarity
    }

    /// The name, as printed and as the command line takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Job2Skill => "job2skill",
            Task::Skill2Job => "skill2job",
            Task::JobNormalisation => "job-normalisation",
            Task::SkillNormalisation => "skill-normalisation",
            Task::SkillExtraction => "skill-extraction",
            Task::SkillSimilarity => "skill-similarity",
            Task::TitleSimilarity => "title-similarity",
            Task::Melo => "melo",
            Task::OnetTechnology => "onet-technology",
            Task::OnetTask => "onet-task",
            Task::OnetTitle => "onet-title",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Task::ALL.into_iter().find(|task| task.as_str() == name).ok_or_else(|| Error::InvalidName {
            what: "task",
            name: name.to_string(),
            problem: format!("the tasks are {}", Task::ALL.map(Task::as_str).join(", ")),
        })
    }
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One set of queries of a task. A task with several sets counts once: as their mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetName {
    task: Task,
    /// Which of the task's sets; empty where it has one.
    part: String,
}

impl SetName {
    /// The only set of a task.
    pub fn of(task: Task) -> Self {
        Self { task, part: String::new() }
    }

    /// One of several.
    pub fn part(task: Task, part: impl Into<String>) -> Self {
        Self { task, part: part.into() }
    }

    /// The task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Which of the task's sets; empty where it has one.
    pub fn part_name(&self) -> &str {
        &self.part
    }

    /// A name for a file.
    pub(super) fn file_stem(&self) -> String {
        self.to_string().replace('/', ".")
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part.as_str() {
            "" => f.pad(self.task.as_str()),
            part => f.pad(&format!("{}/{part}", self.task)),
        }
    }
}

impl Serialize for SetName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for SetName {
    type Err = Error;

    /// Reads a name as printed: `job2skill`, `skill-extraction/house`.
    fn from_str(name: &str) -> Result<Self> {
        let (task, part) = name.split_once('/').unwrap_or((name, ""));
        Ok(Self::part(task.parse()?, part))
    }
}

impl<'de> Deserialize<'de> for SetName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which queries of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What rules and models may be chosen on. Where WorkBench has none it is not apart from test: of tasks made of relations, the
    /// queries whose concept is [held out](super::held_out); of sets that are not split (title similarity, MELO) all.
    Validation,
    /// What is reported: WorkBench's test sets. In those made of relations, every query.
    #[default]
    Test,
}

impl Split {
    /// The name, as printed and as the command line takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_tasks_are_workbench_s_and_all_have_names() {
        assert_eq!(Task::ALL.iter().filter(|task| task.is_of_workbench()).count(), 6);
        for task in Task::ALL {
            assert_eq!(task.as_str().parse::<Task>().unwrap(), task);
        }
        let house: SetName = "skill-extraction/house".parse().unwrap();
        assert_eq!((house.task(), house.part_name()), (Task::SkillExtraction, "house"));
        assert!("jobs".parse::<Task>().unwrap_err().to_string().contains("melo"));
        assert_eq!(SetName::part(Task::SkillExtraction, "house").to_string(), "skill-extraction/house");
        assert_eq!(SetName::part(Task::SkillExtraction, "house").file_stem(), "skill-extraction.house");
    }
}
