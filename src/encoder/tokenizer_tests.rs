use super::*;

/// A tokenizer with the frame of texts as they are.
struct Plain {
    inner: TextTokenizer,
    frame: Frame,
}

impl Plain {
    fn tokenize(&self, text: &str) -> Result<Tokenized> {
        self.inner.tokenize(text, &self.frame)
    }

    fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        self.inner.tokens(text, &self.frame)
    }
}

fn tiny(max_tokens: usize) -> Plain {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert/tokenizer.json");
    Plain { inner: TextTokenizer::read(&path, max_tokens).unwrap(), frame: Frame::plain(max_tokens) }
}

#[test]
fn padding_and_truncation_of_the_file_are_off() {
    let tokenized = tiny(64).tokenize("data engineer").unwrap();
    assert_eq!(tokenized.special, [true, false, false, false, true]);
    let long = tiny(96).tokenize(&"data ".repeat(80)).unwrap();
    assert_eq!((long.ids.len(), long.truncated), (82, false));
}

#[test]
fn truncation_keeps_the_special_tokens_and_the_first_pieces() {
    let (all, cut) =
        (tiny(64).tokenize("data engineer data").unwrap(), tiny(4).tokenize("data engineer data").unwrap());
    assert_eq!(cut.ids, [&all.ids[..3], &all.ids[all.ids.len() - 1..]].concat());
    assert_eq!((all.truncated, cut.truncated), (false, true));
    assert_eq!(cut.special, [true, false, false, true]);
    assert!(!tiny(3).tokenize("data").unwrap().truncated);
}

#[test]
fn no_room_for_a_token_is_an_error() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-bert/tokenizer.json");
    assert!(matches!(TextTokenizer::read(&path, 2), Err(Error::InvalidOption { .. })));
}

#[test]
fn the_start_of_a_long_text_has_the_tokens_of_the_whole() {
    let tokenizer = tiny(16);
    for unit in ["data engineer ", "数据", "é\u{301}", "wielding-tools/", "🔧", "a  \t\n"] {
        let long = unit.repeat(3000);
        let whole = tokenizer.inner.inner.encode_fast(long.as_str(), true).unwrap();
        let expected: Vec<u32> = whole.get_ids().iter().copied().take(15).collect();
        let tokenized = tokenizer.tokenize(&long).unwrap();
        assert_eq!(tokenized.ids[..tokenized.ids.len() - 1], expected[..tokenized.ids.len() - 1], "{unit}");
        assert_eq!(tokenized.truncated, whole.len() > 16, "{unit}");
    }
}

#[test]
fn leading_blanks_do_not_hide_the_text() {
    let text = format!("{}data", " ".repeat(100_000));
    assert_eq!(tiny(16).tokenize(&text).unwrap(), tiny(16).tokenize("data").unwrap());
}

#[test]
fn tokens_tell_their_spelling_and_place() {
    let text = "Café data";
    let tokenizer = tiny(64);
    let tokens = tokenizer.tokens(text).unwrap();
    assert_eq!(tokens.len(), tokenizer.tokenize(text).unwrap().ids.len());
    assert_eq!(tokens[0], Token { text: "[CLS]".into(), start: 0, end: 0, special: true });
    assert_eq!(&text[tokens[1].start..tokens[1].end], "Café");
    assert_eq!((tokens[1].text.as_str(), tokens[2].text.as_str()), ("cafe", "data"));
}

#[test]
fn a_prompt_is_no_part_of_the_text() {
    let Plain { inner, mut frame } = tiny(8);
    frame.prompt = "data: ".to_string();
    let (tokenized, tokens) =
        (inner.tokenize("engineer, data", &frame).unwrap(), inner.tokens("engineer, data", &frame).unwrap());
    assert_eq!(tokens.iter().map(|token| token.special).collect::<Vec<_>>(), tokenized.special);
    assert_eq!(tokenized.special[..3], [true; 3]);
    let own: Vec<&Token> = tokens.iter().filter(|token| !token.special).collect();
    assert_eq!((own[0].start, &"engineer, data"[own[0].start..own[0].end]), (0, &"engineer, data"[..own[0].end]));
    let alone = inner.prompt_tokens(&frame.prompt).unwrap();
    assert_eq!(alone, PromptTokens { all: 4, leading: 3 });
    assert!(inner.tokenize(&"data ".repeat(9), &frame).unwrap().truncated);
}

#[test]
fn markers_and_expansion_are_where_pylate_puts_them() {
    let Plain { inner, mut frame } = tiny(8);
    frame.marker = Some((4, "[MASK]".to_string()));
    let of = |frame: &Frame, text: &str| inner.tokenize(text, frame).unwrap();
    let plain = of(&Frame::plain(8), "data").ids;
    assert_eq!(of(&frame, "data").ids, [plain[0], 4, plain[1], plain[2]]);
    let expansion =
        super::super::sides::frame::Expansion { id: 9, spelling: "+".to_string(), length: 8, attend: false };
    frame.expansion = Some(expansion.clone());
    let expanded = of(&frame, "data");
    assert_eq!(expanded.ids, [plain[0], 4, plain[1], plain[2], 9, 9, 9, 9]);
    assert_eq!((expanded.attended, &expanded.special[2..5]), (4, &[false, true, true][..]));
    assert_eq!(inner.tokens("data", &frame).unwrap()[4].text, "+");
    frame.expansion = Some(super::super::sides::frame::Expansion { attend: true, ..expansion });
    assert_eq!(of(&frame, "data").attended, 8);
    let long = of(&frame, &"data ".repeat(9));
    assert_eq!((long.ids.len(), long.ids[1], long.ids[7], long.truncated), (8, 4, plain[2], true));
}

#[test]
fn the_ids_of_every_family_are_those_of_its_golden_values() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder");
    for family in ["roberta", "xlm-roberta", "mpnet", "distilbert", "modernbert"] {
        let tokenizer = TextTokenizer::read(&fixtures.join(format!("tiny-{family}/tokenizer.json")), 64).unwrap();
        let golden = std::fs::read(fixtures.join(format!("golden_{family}.json"))).unwrap();
        let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let tokenized = tokenizer.tokenize(case["text"].as_str().unwrap(), &Frame::plain(64)).unwrap();
            assert_eq!(tokenized.ids, ids, "{family} {case}");
        }
    }
}

#[test]
fn ranges_are_widened_to_characters_of_the_text() {
    let text = "aé数";
    assert_eq!(whole_chars(text, (0, 1)), (0, 1));
    assert_eq!(whole_chars(text, (2, 2)), (1, 3));
    assert_eq!(whole_chars(text, (4, 5)), (3, 6));
    assert_eq!(whole_chars(text, (5, usize::MAX)), (3, 6));
    assert_eq!(whole_chars(text, (usize::MAX, 0)), (6, 6));
}
