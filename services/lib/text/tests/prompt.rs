//! Prompts: their exact text, and which tokens are the user's words.

use std::sync::Arc;

use rootstock_text::{
    ChatMessage, EncodedPrompt, PromptError, PromptTemplate, Row, TextTokenizer, TokenizerSources,
};

use crate::fixtures::{FILES, TOKENIZER, sentencepiece};

fn row(instruction: &str, input: &str, output: &str) -> Row {
    Row {
        instruction: instruction.to_owned(),
        input: input.to_owned(),
        output: output.to_owned(),
        ..Row::default()
    }
}

/// The texts of the user's tokens, one per run.
fn user_texts(tokenizer: &TextTokenizer, prompt: &EncodedPrompt) -> Vec<String> {
    prompt.user.iter().map(|range| tokenizer.decode(&prompt.ids[range.clone()], false)).collect()
}

#[test]
fn each_template_has_its_known_text() {
    let text =
        |name: &str, row: &Row| PromptTemplate::parse(name).unwrap().render(row, &TOKENIZER).unwrap().text;
    let (plain, with_input) = (row(" 什么是适配器? ", "", "x"), row("Translate.", "猫\n", "x"));
    assert_eq!(text("qa_zh", &plain), "问题: 什么是适配器?\n回答:");
    assert_eq!(text("qa_zh", &with_input), "问题: Translate.\n猫\n回答:");
    assert_eq!(text("qa_en", &with_input), "Question: Translate.\n猫\nAnswer:");
    assert_eq!(
        text("alpaca", &with_input),
        "Below is an instruction that describes a task, paired with an input that provides further context. \
         Write a response that appropriately completes the request.\n\n\
         ### Instruction:\nTranslate.\n\n### Input:\n猫\n\n### Response:\n"
    );
    assert_eq!(
        text("alpaca", &plain),
        "Below is an instruction that describes a task. Write a response that appropriately completes the \
         request.\n\n### Instruction:\n什么是适配器?\n\n### Response:\n"
    );
    assert_eq!(
        text("chat", &with_input),
        "<|im_start|>user\nTranslate.\n猫<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn the_answer_follows_as_the_template_joins_it() {
    let answer = |template: PromptTemplate| template.answer(&row("q", "", " yes\n"), &TOKENIZER).unwrap();
    assert_eq!(answer(PromptTemplate::QaZh), " yes");
    assert_eq!(answer(PromptTemplate::QaEn), " yes");
    assert_eq!(answer(PromptTemplate::Alpaca), "yes");
    assert_eq!(answer(PromptTemplate::Chat), "yes");
}

#[test]
fn what_was_said_before_stands_before_the_question_and_needs_a_chat_template() {
    let history = [ChatMessage::new("system", "Be brief."), ChatMessage::new("user", "a?")];
    let history = history.map(Arc::new).to_vec();
    let row = Row { history, ..row("b?", "", "yes") };
    let prompt = PromptTemplate::Chat.render(&row, &TOKENIZER).unwrap();
    let expected = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\na?<|im_end|>\n\
                    <|im_start|>user\nb?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(prompt.text, expected);
    assert_eq!(&prompt.text[prompt.user[0].clone()], "b?");
    assert_eq!(PromptTemplate::Chat.answer(&row, &TOKENIZER).unwrap(), "yes");
    assert_eq!(PromptTemplate::QaEn.render(&row, &TOKENIZER), Err(PromptError::Conversation));
}

#[test]
fn the_users_words_are_told_from_the_templates() {
    for (template, row, expected) in [
        (PromptTemplate::QaZh, row("什么是适配器?", "", ""), vec!["什么是适配器?"]),
        (PromptTemplate::QaEn, row("What is it?", "a cat", ""), vec![" What is it?", "a cat"]),
        (PromptTemplate::Chat, row("user", "", ""), vec!["user"]),
    ] {
        let prompt = TOKENIZER.encode_prompt(&template.render(&row, &TOKENIZER).unwrap()).unwrap();
        let texts = user_texts(&TOKENIZER, &prompt);
        let got: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
        let expected: Vec<&str> = expected.iter().map(|text| text.trim()).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn special_tokens_and_a_prefix_space_do_not_shift_the_users_words() {
    let llama = sentencepiece();
    let prompt = PromptTemplate::QaEn.render(&row("ab ab", "", ""), &llama).unwrap();
    let encoded = llama.encode_prompt(&prompt).unwrap();
    assert_eq!(encoded.ids[0], 1);
    assert_eq!(user_texts(&llama, &encoded), ["ab ab"]);
}

#[test]
fn a_template_that_changes_the_words_leaves_none_marked() {
    let load = |template: &str| {
        let sources = TokenizerSources {
            tokenizer_json: &FILES.tokenizer_json,
            tokenizer_config: Some(&FILES.tokenizer_config_json),
            chat_template: Some(template.as_bytes()),
        };
        TextTokenizer::from_sources(&sources).unwrap()
    };
    let chat =
        |template: &str| PromptTemplate::Chat.render(&row("Hi there", "", ""), &load(template)).unwrap();
    assert_eq!(chat("U: {{ messages[0].content }}\nA:").user, vec![3..11]);
    assert!(chat("U: {{ messages[0].content | upper }}\nA:").user.is_empty());
    assert!(chat("{{ messages[0].content | length }}").user.is_empty());
}

#[test]
fn an_unknown_template_and_a_missing_one_are_named() {
    let error = PromptTemplate::parse("qa_fr").unwrap_err();
    assert_eq!(error.to_string(), "prompt_template \"qa_fr\" is unknown; known: qa_zh, qa_en, alpaca, chat");
    let error = PromptTemplate::Chat.render(&row("a", "", ""), &sentencepiece()).unwrap_err();
    assert!(matches!(error, PromptError::Chat(_)));
    for template in PromptTemplate::ALL {
        assert_eq!(PromptTemplate::parse(template.name()).unwrap(), template);
    }
}
