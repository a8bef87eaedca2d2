//! transformers' own tag: `{% generation %}` marks what the assistant says and prints what it encloses. The engine doesn't know it, so
//! it becomes an `if` that always holds, with the same control of white space.

const OPENING: &str = "generation";
const CLOSING: &str = "endgeneration";

/// The template with its generation tags written as the engine knows them.
pub(super) fn rewritten(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, block) = rest.split_at(at + 2);
        text.push_str(before);
        let word = block.trim_start_matches(['-', '+']).trim_start();
        let lead = &block[..block.len() - word.len()];
        rest = block;
        for (tag, replacement) in [(OPENING, "if true"), (CLOSING, "endif")] {
            if let Some(after) = word.strip_prefix(tag)
                && after.trim_start().trim_start_matches(['-', '+']).starts_with("%}")
            {
                text.push_str(lead);
                text.push_str(replacement);
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_tags_are_rewritten_and_their_white_space_control_stays() {
        assert_eq!(rewritten("a{%- generation -%}b{% endgeneration +%}c"), "a{%- if true -%}b{% endif +%}c");
        for same in
            ["", "{% set generation = 1 %}", "{% generations %}", "generation %}", "{% generation", "{%"]
        {
            assert_eq!(rewritten(same), same);
        }
    }
}
