//! Which sides an encoder has, and who is on which: from the sidecar, or else by the names that checkpoints use.

use super::sidecar::{SideChoice, SideParts};
use super::{Role, SentenceConfig, SideSpec, Sidecar, Sides};
use crate::encoder::files::encoder_error;
use crate::encoder::modules::Modules;
use crate::error::Result;

/// More kinds than any ontology has.
const MAX_KINDS: usize = 200;

/// Without a sidecar:
///
/// * heads `anchor` and `positive` (JobBERT): queries and occupations are on the former, all other concepts on the latter;
/// * heads `query` and `document`, and prompts `query` and `document` (or `passage`): what they are called;
/// * a PyLate model: queries are queries, concepts documents, both behind the default prompt if there is one;
/// * all else: one side.
///
/// # Errors
/// [`Error::Encoder`](crate::Error::Encoder) for heads of other names without a sidecar, and for a sidecar that names
/// a head or a prompt that the checkpoint does not have.
pub(crate) fn choose(modules: &Modules, config: &SentenceConfig, sidecar: &Sidecar) -> Result<Sides> {
    let chooser = Chooser { modules, config, sidecar };
    if sidecar.kinds.len() > MAX_KINDS {
        return Err(encoder_error(&sidecar.path, format!("sides.kinds: at most {MAX_KINDS} kinds are expected")));
    }
    let query = chooser.side("sides.query", sidecar.query.as_ref(), Role::Query, "")?;
    let others = chooser.side("sides.kinds.*", sidecar.kinds.get("*"), Role::Document, "*")?;
    // What is known of kinds without a sidecar is what `route` knows. What a sidecar says of all kinds holds for these too, but
    // for what it leaves out.
    let known = ["occupation"].into_iter().filter(|kind| !sidecar.kinds.contains_key(*kind));
    let named = sidecar.kinds.iter().filter(|(kind, _)| *kind != "*");
    let mut kinds = Vec::new();
    for (kind, choice) in named
        .map(|(kind, choice)| (kind.as_str(), Some(choice)))
        .chain(known.map(|kind| (kind, sidecar.kinds.get("*"))))
    {
        let side = chooser.side(&format!("sides.kinds.{kind}"), choice, Role::Document, kind)?;
        kinds.push((kind.to_string(), side));
    }
    Ok(Sides::new(query, kinds, others))
}

struct Chooser<'a> {
    modules: &'a Modules,
    config: &'a SentenceConfig,
    sidecar: &'a Sidecar,
}

impl Chooser<'_> {
    /// The side that `field` of the sidecar chooses, or the one by default.
    fn side(&self, field: &str, choice: Option<&SideChoice>, role: Role, kind: &str) -> Result<SideSpec> {
        let parts = match choice {
            None => SideParts::default(),
            Some(SideChoice::Parts(parts)) => parts.clone(),
            Some(SideChoice::Named(name)) if self.modules.routes().any(|route| route == name) => {
                SideParts { head: Some(name.clone()), ..SideParts::default() }
            }
            Some(SideChoice::Named(name)) => SideParts { prompt_name: Some(name.clone()), ..SideParts::default() },
        };
        let route = match &parts.head {
            None => self.route(role, kind)?.to_string(),
            Some(head) if self.modules.routes().any(|route| route == head) => head.clone(),
            Some(head) => return Err(self.unknown(field, "head", head)),
        };
        let prompt = match (parts.prompt, &parts.prompt_name) {
            (Some(_), Some(_)) => {
                return Err(encoder_error(&self.sidecar.path, format!("{field}: `prompt` or `prompt_name`, not both")));
            }
            (Some(prompt), None) => prompt,
            (None, None) => self.prompt(role),
            (None, Some(name)) => match self.config.prompts.get(name) {
                Some(prompt) => prompt.clone(),
                None => return Err(self.unknown(field, "head or prompt", name)),
            },
        };
        Ok(SideSpec { route, prompt, role: self.modules.is_late().then_some(role) })
    }

    fn prompt(&self, role: Role) -> String {
        if self.modules.is_late() {
            return self.config.default_prompt.clone();
        }
        let (query, document) = self.config.query_and_document();
        if role == Role::Query { query } else { document }
    }

    fn route(&self, role: Role, kind: &str) -> Result<&str> {
        let routes: Vec<&str> = self.modules.routes().collect();
        let one_of = |name: &'static str| routes.contains(&name).then_some(name);
        match routes.as_slice() {
            [] => Ok(""),
            [one] => Ok(one),
            [_, _] => match (one_of("anchor").zip(one_of("positive")), one_of("query").zip(one_of("document"))) {
                (Some((anchor, positive)), _) => {
                    Ok(if role == Role::Query || kind == "occupation" { anchor } else { positive })
                }
                (_, Some((query, document))) => Ok(if role == Role::Query { query } else { document }),
                _ => Err(self.ambiguous(&routes)),
            },
            _ => Err(self.ambiguous(&routes)),
        }
    }

    fn ambiguous(&self, routes: &[&str]) -> crate::Error {
        let problem = format!(
            "the model has heads {}, and nothing says which of them serve queries and which kind of concepts; write it to \
             this file as {{\"sides\": {{\"query\": HEAD, \"kinds\": {{\"occupation\": HEAD, \"*\": HEAD}}}}}}",
            routes.join(", ")
        );
        encoder_error(&self.sidecar.path, problem)
    }

    fn unknown(&self, field: &str, what: &str, name: &str) -> crate::Error {
        let list = |names: Vec<&str>| if names.is_empty() { "none".to_string() } else { names.join(", ") };
        let heads = list(self.modules.routes().collect());
        let prompts = list(self.config.prompts.keys().map(String::as_str).collect());
        let problem = format!("{field}: no {what} `{name}`; the checkpoint has heads: {heads}; prompts: {prompts}");
        encoder_error(&self.sidecar.path, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::modules::Head;

    fn with_routes(routes: &[&str]) -> Modules {
        let head = |route: &&str| Head { route: route.to_string(), steps: Vec::new() };
        Modules { heads: routes.iter().map(head).collect(), ..Modules::default() }
    }

    fn sidecar(sides: &str) -> Sidecar {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("workindex.json"), format!(r#"{{"sides":{sides}}}"#)).unwrap();
        Sidecar::read(dir.path()).unwrap()
    }

    /// Route and prompt of a query, an occupation, and a skill.
    fn of(modules: &Modules, config: &SentenceConfig, sidecar: &Sidecar) -> [String; 3] {
        let sides = choose(modules, config, sidecar).unwrap();
        [sides.query(None), sides.target("occupation"), sides.target("skill")].map(|side| {
            let spec = &sides.specs()[side.at()];
            format!("{}/{}", spec.route, spec.prompt)
        })
    }

    fn prompts() -> SentenceConfig {
        let prompts = [("query", "q: "), ("passage", "p: "), ("title", "t: ")];
        let prompts = prompts.map(|(name, text)| (name.to_string(), text.to_string())).into();
        SentenceConfig { prompts, ..SentenceConfig::default() }
    }

    #[test]
    fn names_that_checkpoints_use_are_known() {
        let (none, empty) = (SentenceConfig::default(), Sidecar::default());
        assert_eq!(of(&with_routes(&[]), &none, &empty), ["/", "/", "/"]);
        assert_eq!(of(&with_routes(&["only"]), &none, &empty), ["only/"; 3]);
        assert_eq!(of(&with_routes(&["positive", "anchor"]), &none, &empty), ["anchor/", "anchor/", "positive/"]);
        assert_eq!(of(&with_routes(&["query", "document"]), &none, &empty), ["query/", "document/", "document/"]);
        assert_eq!(of(&with_routes(&[]), &prompts(), &empty), ["/q: ", "/p: ", "/p: "]);
        let error = choose(&with_routes(&["title", "skill"]), &none, &empty).unwrap_err();
        assert!(error.to_string().contains("title, skill"), "{error}");
        assert!(choose(&with_routes(&["anchor", "positive", "negative"]), &none, &empty).is_err());
    }

    #[test]
    fn a_sidecar_decides() {
        let modules = with_routes(&["a", "b"]);
        let chosen = sidecar(r#"{"query":"a","kinds":{"*":"b","skill":{"head":"a","prompt":"s: "},"occupation":"b"}}"#);
        assert_eq!(of(&modules, &prompts(), &chosen), ["a/q: ", "b/p: ", "a/s: "]);
        let chosen = sidecar(r#"{"query":"title","kinds":{"occupation":{"prompt_name":"title"}}}"#);
        assert_eq!(of(&with_routes(&[]), &prompts(), &chosen), ["/t: ", "/t: ", "/p: "]);
        let chosen = sidecar(r#"{"query":{"prompt":""},"kinds":{"*":{"prompt":""}}}"#);
        assert_eq!(of(&with_routes(&[]), &prompts(), &chosen), ["/"; 3]);
    }

    #[test]
    fn names_that_the_checkpoint_lacks_are_refused() {
        for (sides, field) in [
            (r#"{"query":"c"}"#, "sides.query"),
            (r#"{"kinds":{"skill":{"head":"c"}}}"#, "sides.kinds.skill"),
            (r#"{"kinds":{"*":{"prompt_name":"c"}}}"#, "sides.kinds.*"),
            (r#"{"query":{"prompt":"a","prompt_name":"query"}}"#, "not both"),
        ] {
            let error = choose(&with_routes(&["query", "document"]), &prompts(), &sidecar(sides)).unwrap_err();
            assert!(error.to_string().contains(field), "{sides}: {error}");
        }
    }
}
