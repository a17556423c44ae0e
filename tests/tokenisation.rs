//! Any text is cut into tokens that lie where they say, at most as many as the settings allow, and a text that was cut says so.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use workindex::{Encoder, EncoderSettings, Error, Monitor, RankOptions, Token, WorkIndex, table};

fn tiny_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert")
}

fn tiny() -> Encoder {
    Encoder::open(&tiny_folder()).unwrap()
}

/// The tiny encoder and, where there is one, the pretrained one.
fn encoders() -> Vec<Encoder> {
    let real = std::env::var_os("WORKINDEX_ENCODER").map(PathBuf::from).filter(|dir| dir.is_dir());
    if real.is_none() {
        eprintln!("skipped: no data at WORKINDEX_ENCODER");
    }
    std::iter::once(tiny_folder()).chain(real).map(|dir| Encoder::open(&dir).unwrap()).collect()
}

/// The pieces of text that the tokens of the text itself cover.
fn covered<'t>(text: &'t str, tokens: &[Token]) -> Vec<&'t str> {
    tokens.iter().filter(|token| !token.special).map(|token| &text[token.start..token.end]).collect()
}

/// The tokens of a text cover parts of it, in order, between characters; those added to it cover nothing.
fn lie_inside(text: &str, tokens: &[Token]) {
    for token in tokens {
        assert!(text.get(token.start..token.end).is_some(), "{token:?} in {text:?}");
        assert!(!token.special || (token.start, token.end) == (0, 0), "{token:?} in {text:?}");
    }
    let content: Vec<&Token> = tokens.iter().filter(|token| !token.special).collect();
    assert!(content.iter().all(|token| token.start < token.end), "{tokens:?} of {text:?}");
    assert!(content.is_sorted_by_key(|token| token.start), "{tokens:?} of {text:?}");
}

/// What must hold for every text; returns its tokens.
fn sound(encoder: &Encoder, text: &str) -> Vec<Token> {
    let (encoded, tokens) = (encoder.encode(text).unwrap(), encoder.tokens(text).unwrap());
    assert_eq!(tokens.len(), encoded.matrix.n_tokens(), "{text:?}");
    assert!(tokens.len() <= encoder.settings().max_tokens, "{text:?}");
    let content = tokens.iter().filter(|token| !token.special).count();
    assert_eq!(content, encoded.content_tokens, "{text:?}");
    lie_inside(text, &tokens);
    tokens
}

#[test]
fn scripts_of_the_world() {
    let texts = [
        "数据工程师",
        "データエンジニア",
        "데이터 엔지니어",
        "инженер по данным",
        "مهندس بيانات",
        "מהנדס נתונים (מ/ז)",
        "mixed مهندس left and right",
        "डेटा इंजीनियर",
        "วิศวกรข้อมูล",
        "μηχανικός δεδομένων",
        "Ĳsselmeer ﬁreﬁghter ﷺ ㎏",
        "𝔻𝕒𝕥𝕒 𠜎𠜱",
    ];
    for encoder in encoders() {
        for text in texts {
            let tokens = sound(&encoder, text);
            assert!(tokens.iter().all(|token| !token.special), "{text}");
            // Every character that is not white space belongs to a token: nothing of a text is lost unseen.
            let inside = |at: usize| tokens.iter().any(|token| (token.start..token.end).contains(&at));
            let lost: Vec<char> =
                text.char_indices().filter(|(at, c)| !c.is_whitespace() && !inside(*at)).map(|(_, c)| c).collect();
            let marks_only = lost.iter().all(|c| is_mark(*c));
            assert!(marks_only, "{lost:?} of {text:?}");
        }
    }
}

/// Marks that belong to the letter before them, which BERT's normalizer takes off.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{94d}' | '\u{e31}'..='\u{e4e}')
}

#[test]
fn a_letter_with_a_mark_is_the_same_in_either_spelling() {
    for encoder in encoders() {
        let (one, two) = ("Caf\u{e9} \u{c5}ngstr\u{f6}m", "Cafe\u{301} A\u{30a}ngstro\u{308}m");
        let spell = |text| sound(&encoder, text).into_iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(spell(one), spell(two));
        assert_eq!(encoder.encode(one).unwrap().matrix, encoder.encode(two).unwrap().matrix);
        // Marks alone, and hundreds of them on one letter.
        sound(&encoder, "\u{301}");
        sound(&encoder, &format!("e{} data", "\u{301}".repeat(500)));
    }
}

#[test]
fn emoji_are_whole_in_the_ranges() {
    for encoder in encoders() {
        for text in [
            "\u{1f469}\u{200d}\u{1f3ed}",
            "welder \u{1f527}\u{1f469}\u{1f3fd}\u{200d}\u{1f3ed} wanted",
            "\u{1f1e7}\u{1f1ea}",
            "\u{2764}\u{fe0f}",
        ] {
            let tokens = sound(&encoder, text);
            assert!(covered(text, &tokens).iter().all(|part| !part.is_empty()), "{text:?}");
        }
        let tokens = sound(&encoder, "welder \u{1f527} wanted");
        assert!(covered("welder \u{1f527} wanted", &tokens).contains(&"\u{1f527}"));
    }
}

#[test]
fn texts_without_a_token_of_their_own_have_the_special_ones_only() {
    for encoder in encoders() {
        for text in [
            "",
            " ",
            "\t\r\n\u{a0}\u{3000}\u{2003}",
            "\u{0}\u{1}\u{7f}\u{9f}",
            "\u{200b}\u{feff}\u{200e}\u{ad}",
            "\u{fffd}",
        ] {
            let tokens = sound(&encoder, text);
            assert!(tokens.iter().all(|token| token.special), "{text:?}: {tokens:?}");
            assert!(!encoder.encode(text).unwrap().truncated);
        }
    }
}

#[test]
fn control_characters_between_letters_are_as_if_not_there() {
    for encoder in encoders() {
        let plain = encoder.encode("data engineer").unwrap();
        for text in [
            "da\u{0}ta engi\u{7}neer",
            "data\tengineer\n",
            "\u{feff}data engineer",
            "data\u{a0}engineer",
            "  data \r\n engineer ",
        ] {
            sound(&encoder, text);
            assert_eq!(encoder.encode(text).unwrap(), plain, "{text:?}");
        }
    }
}

#[test]
fn what_the_vocabulary_lacks_is_the_unknown_token() {
    for encoder in encoders() {
        let text = "\u{10ffff} \u{e000} \u{1f9d1}\u{1f9d1}";
        let tokens = sound(&encoder, text);
        assert!(!tokens.is_empty() && tokens.iter().all(|token| token.text == "[UNK]"), "{tokens:?}");
        // A word too long to be looked up is unknown as a whole.
        let long = "x".repeat(101);
        let tokens = sound(&encoder, &long);
        assert_eq!(covered(&long, &tokens), [&long]);
        assert_eq!(tokens[0].text, "[UNK]");
    }
}

#[test]
fn spellings_of_special_tokens_in_a_text_are_text() {
    for encoder in encoders() {
        let text = "[SEP] data [CLS] [MASK][PAD]";
        let tokens = sound(&encoder, text);
        // They get the special token's id, as with transformers, and are rows like the others.
        assert!(tokens.iter().all(|token| !token.special), "{tokens:?}");
        assert_eq!(covered(text, &tokens), ["[SEP]", "data", "[CLS]", "[MASK]", "[PAD]"]);
        assert_eq!(encoder.encode(text).unwrap().content_tokens, 5);
    }
}

#[test]
fn long_texts_are_cut_and_say_so() {
    for encoder in encoders() {
        let room = encoder.settings().max_tokens - 2;
        let fits = "data ".repeat(room);
        let encoded = encoder.encode(&fits).unwrap();
        assert_eq!((encoded.content_tokens, encoded.truncated), (room, false));
        let long = "data ".repeat(room + 1);
        let cut = encoder.encode(&long).unwrap();
        assert_eq!((cut.content_tokens, cut.truncated), (room, true));
        assert_eq!(cut.matrix, encoded.matrix);
        for text in
            ["data engineer ".repeat(80_000), "数据".repeat(200_000), "é".repeat(600_000), "\u{301}a ".repeat(300_000)]
        {
            sound(&encoder, &text);
            assert!(encoder.encode(&text).unwrap().truncated);
        }
    }
}

#[test]
fn a_word_however_long_is_one_unknown_token_of_all_of_it() {
    for encoder in encoders() {
        let word = "a".repeat(600_000);
        assert!(covered(&word, &sound(&encoder, &word)) == [&word]);
        assert!(!encoder.encode(&word).unwrap().truncated);
        // Beyond a megabyte the end is not looked at, and that is said.
        assert!(encoder.encode(&word.repeat(2)).unwrap().truncated);
    }
}

#[test]
fn a_batch_says_of_each_text_whether_it_was_cut() {
    let encoder = Encoder::open_with(
        &tiny_folder(),
        EncoderSettings { max_tokens: 6, special_tokens: false, ..EncoderSettings::default() },
    )
    .unwrap();
    let texts = ["data", "data data data data data", "", "data data data data"];
    let encoded = encoder.encode_batch(&texts, &Monitor::silent()).unwrap();
    let facts: Vec<_> = encoded.iter().map(|encoded| (encoded.truncated, encoded.content_tokens)).collect();
    assert_eq!(facts, [(false, 1), (true, 4), (false, 0), (false, 4)]);
}

#[test]
fn rankings_and_reports_say_that_a_text_was_cut_and_errors_which_text_is_blank() {
    let folder = tempfile::tempdir().unwrap();
    let long = "weld ".repeat(100);
    let csv = format!("id,label\n1,weld\n2,{long}\n");
    let space = "own/skill/en".parse().unwrap();
    let (release, _) =
        table::read_from(csv.as_bytes(), "own.csv", &space, &table::Options::default(), &Monitor::silent()).unwrap();
    let mut writer = WorkIndex::create(folder.path().join("i"), &tiny()).unwrap();
    let report = writer.ingest(&release, &Default::default(), &Monitor::silent()).unwrap();
    assert_eq!(report.truncated, 1);
    writer.commit().unwrap();
    let index = WorkIndex::open(folder.path().join("i")).unwrap();
    let space = index.space("own/skill/en").unwrap();
    let rank = |texts: &[&str]| space.rank_batch(texts, &RankOptions::top(1), &Monitor::silent());
    let rankings = rank(&["weld", &long]).unwrap();
    assert_eq!(rankings.iter().map(|ranking| ranking.truncated).collect::<Vec<_>>(), [false, true]);
    for blank in ["", " \u{3000}\n", "\u{1}"] {
        let error = rank(&["weld", "weld", blank]).unwrap_err();
        assert!(matches!(error, Error::EmptyText { position: Some(2), .. }), "{error:?}");
        assert!(error.to_string().contains("text 3"), "{error}");
        let error = space.rank(blank, &RankOptions::top(1)).unwrap_err();
        assert!(matches!(error, Error::EmptyText { position: None, .. }), "{error:?}");
    }
}

/// Texts of characters from everywhere, with those more often that something is done about.
fn any_text() -> impl Strategy<Value = String> {
    let special = "aé數ﷺ가\u{301}\u{200d}\u{1f469}\u{1f3fd}\u{0}\u{feff} \n[#]'`\u{130}\u{df}\u{1e9e}\u{fb01}";
    let character = prop_oneof![any::<char>(), prop::sample::select(special.chars().collect::<Vec<_>>())];
    let words = prop::sample::select(vec!["data", "[SEP]", "[CLS", "engineer", "##ing"]).prop_map(str::to_string);
    prop::collection::vec(prop_oneof![4 => character.prop_map(String::from), 1 => words], 0..120)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn tokens_lie_inside_any_text_between_characters(text in any_text(), max_tokens in 3..90usize) {
        thread_local!(static ENCODERS: Vec<Encoder> = encoders());
        ENCODERS.with(|encoders| encoders.iter().for_each(|encoder| lie_inside(&text, &encoder.tokens(&text).unwrap())));
        let settings = EncoderSettings { max_tokens, special_tokens: true, ..EncoderSettings::default() };
        sound(&Encoder::open_with(&tiny_folder(), settings).unwrap(), &text);
    }
}
