//! The text that the demo pre-trains on, embedded in the binary: stories and explanations, and questions with answers,
//! in English and Chinese, all written for this project. The facts of the fine-tuning are not in it.

/// Prose: each file is one document.
const PROSE: &[&str] = &[
    include_str!("../../corpus/en/animals.txt"),
    include_str!("../../corpus/en/building.txt"),
    include_str!("../../corpus/en/garden.txt"),
    include_str!("../../corpus/en/health.txt"),
    include_str!("../../corpus/en/history.txt"),
    include_str!("../../corpus/en/kitchen.txt"),
    include_str!("../../corpus/en/market.txt"),
    include_str!("../../corpus/en/music_letters.txt"),
    include_str!("../../corpus/en/numbers_machines.txt"),
    include_str!("../../corpus/en/school.txt"),
    include_str!("../../corpus/en/stories.txt"),
    include_str!("../../corpus/en/travel.txt"),
    include_str!("../../corpus/en/water.txt"),
    include_str!("../../corpus/en/weather.txt"),
    include_str!("../../corpus/zh/01_chufang.txt"),
    include_str!("../../corpus/zh/02_tianqi.txt"),
    include_str!("../../corpus/zh/03_yuanyi.txt"),
    include_str!("../../corpus/zh/04_gongju.txt"),
    include_str!("../../corpus/zh/05_lutu.txt"),
    include_str!("../../corpus/zh/06_jishi.txt"),
    include_str!("../../corpus/zh/07_dongwu.txt"),
    include_str!("../../corpus/zh/08_yinyue.txt"),
    include_str!("../../corpus/zh/09_jiankang.txt"),
    include_str!("../../corpus/zh/10_gushi.txt"),
    include_str!("../../corpus/zh/11_duihua.txt"),
    include_str!("../../corpus/zh/12_jiating.txt"),
    include_str!("../../corpus/zh/13_shijie.txt"),
    include_str!("../../corpus/zh/14_zhiye.txt"),
    include_str!("../../corpus/zh/15_chengzhen.txt"),
    include_str!("../../corpus/zh/16_zuofa.txt"),
    include_str!("../../corpus/zh/17_jilu.txt"),
    include_str!("../../corpus/zh/18_xiangfa.txt"),
];

/// Questions and answers: each blank line ends a document.
const QUESTIONS: &[&str] = &[
    include_str!("../../corpus/en/faq_1.txt"),
    include_str!("../../corpus/en/faq_2.txt"),
    include_str!("../../corpus/en/faq_3.txt"),
    include_str!("../../corpus/en/faq_4.txt"),
    include_str!("../../corpus/en/faq_5.txt"),
    include_str!("../../corpus/zh/faq_1.txt"),
    include_str!("../../corpus/zh/faq_2.txt"),
    include_str!("../../corpus/zh/faq_3.txt"),
    include_str!("../../corpus/zh/faq_4.txt"),
];

/// The documents as JSON lines with a `text` field, which is how a text data set is stored.
pub(crate) fn as_json_lines() -> String {
    let prose = PROSE.iter().map(|file| file.trim());
    let questions = QUESTIONS.iter().flat_map(|file| file.split("\n\n")).map(str::trim);
    prose
        .chain(questions)
        .filter(|document| !document.is_empty())
        .map(|document| format!("{}\n", serde_json::json!({ "text": document })))
        .collect()
}

/// Bytes of text in all documents.
pub(crate) fn bytes() -> usize {
    PROSE.iter().chain(QUESTIONS).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::facts;

    #[test]
    fn there_is_enough_text_in_both_languages() {
        let chinese = |text: &&&str| {
            text.chars().filter(|c| matches!(c, '\u{4e00}'..='\u{9fff}')).count() * 3 > text.len() / 2
        };
        let all = || PROSE.iter().chain(QUESTIONS);
        let chinese_bytes: usize = all().filter(chinese).map(|file| file.len()).sum();
        assert!(bytes() >= 300 * 1024, "{} bytes", bytes());
        assert!(
            chinese_bytes >= 120 * 1024 && bytes() - chinese_bytes >= 120 * 1024,
            "{chinese_bytes} of {} bytes",
            bytes()
        );
    }

    #[test]
    fn no_fact_is_in_the_text() {
        let text = as_json_lines().to_lowercase();
        for fact in facts::bundled().unwrap() {
            assert!(!text.contains(&fact.answer.to_lowercase()), "the answer of {} is in the text", fact.id);
            for wording in &fact.wordings {
                assert!(!text.contains(&wording.to_lowercase()), "a wording of {} is in the text", fact.id);
            }
        }
    }
}
