//! Chat templates as transformers renders them, and templates that mean harm.

use rootstock_text::chat::MAX_DURATION;
use rootstock_text::{ChatMessage, ChatTemplate, ChatTemplateError};

use crate::fixtures::TOKENIZER;

fn messages() -> Vec<ChatMessage> {
    vec![
        ChatMessage::new("system", "Be brief."),
        ChatMessage::new("user", " 你好 <b>\"x\"</b> "),
        ChatMessage::new("assistant", "ok"),
    ]
}

fn render(source: &str) -> Result<String, ChatTemplateError> {
    ChatTemplate::new(source)?.render(&messages(), true, "<s>", "</s>")
}

#[test]
fn chatml_renders_with_its_generation_prompt() {
    let text = TOKENIZER.render_chat(&[ChatMessage::new("user", "Hi")], true).unwrap();
    assert_eq!(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    let text = TOKENIZER.render_chat(&[ChatMessage::new("user", "Hi")], false).unwrap();
    assert_eq!(text, "<|im_start|>user\nHi<|im_end|>\n");
}

#[test]
fn python_methods_blocks_and_loop_controls_work_as_in_jinja2() {
    let llama2 = "{% if messages[0]['role'] == 'system' %}\n\
        {% set loop_messages = messages[1:] %}\n{% set system = messages[0]['content'] %}\n{% endif %}\n\
        {% for message in loop_messages %}\n  {% if loop.index0 > 0 %}{% break %}{% endif %}\n\
        {{ bos_token + '[INST] ' + system.upper() + message['content'].strip() + ' [/INST]' }}{% endfor %}\n";
    assert_eq!(render(llama2).unwrap(), "<s>[INST] BE BRIEF.你好 <b>\"x\"</b> [/INST]");
    let namespace =
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}";
    assert_eq!(render(namespace).unwrap(), "3");
    assert_eq!(
        render("{{ '{}-{:>4}'.format('a', 1) ~ ', '.join(['b', 'c']).replace('b', 'd') }}").unwrap(),
        "a-   1d, c"
    );
    assert_eq!(render("{{ messages[1].content.split('<')[0].startswith(' ') }}").unwrap(), "True");
}

#[test]
fn what_the_assistant_says_may_be_marked_as_transformers_marks_it() {
    let marked = "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}\n\
        {{ m.content }}{% endgeneration %}\n{% endif %}{% endfor %}";
    assert_eq!(render(marked).unwrap(), "ok");
}

#[test]
fn tojson_writes_what_pythons_json_dumps_writes() {
    // json.dumps({"role": "user", ...}, ensure_ascii=False), with and without indent=2.
    let one = render("{{ messages[1] | tojson }}").unwrap();
    assert_eq!(one, r#"{"role": "user", "content": " 你好 <b>\"x\"</b> "}"#);
    let lines = render("{{ [1, {}] | tojson(indent=2) }}").unwrap();
    assert_eq!(lines, "[\n  1,\n  {}\n]");
    assert!(matches!(render("{{ 1 | tojson(sort_keys=true) }}"), Err(ChatTemplateError::Failed(_))));
}

#[test]
fn raise_exception_comes_back_in_its_own_words() {
    let source = "{% macro check(m) %}{{ raise_exception('roles must alternate') }}{% endmacro %}{{ check(messages) }}";
    assert_eq!(render(source), Err(ChatTemplateError::Raised("roles must alternate".to_owned())));
}

#[test]
fn there_is_no_clock() {
    assert_eq!(render("{{ strftime_now('%Y') }}"), Err(ChatTemplateError::Clock));
    let guarded = "{% if strftime_now is defined %}today{% else %}26 Jul 2024{% endif %}";
    assert_eq!(render(guarded).unwrap(), "26 Jul 2024");
}

#[test]
fn a_template_reads_no_file_and_includes_nothing() {
    for source in ["{% include '/etc/passwd' %}", "{{ open('/etc/passwd') }}", "{{ ''.__class__.__mro__ }}"] {
        assert!(matches!(render(source), Err(ChatTemplateError::Failed(_))), "{source}");
    }
}

#[test]
fn templates_that_would_run_or_grow_without_end_are_stopped() {
    let bombs = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ ('x' * 100000).replace('', 'y' * 100000) }}",
        "{{ ('x' * 100000).join(range(100000) | map('string')) }}",
        "{{ ''.join(['x' * 1000000] * 1000) }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
        "{{ range(10000000) | list | length }}",
        "{% for i in range(100000) %}{{ messages[0].content * 100 }}{% endfor %}",
    ];
    for source in bombs {
        let start = std::time::Instant::now();
        let small = render(source).map_or(true, |text| text.len() < 1000);
        assert!(small, "{source}");
        assert!(start.elapsed().as_secs() < 5, "{source}");
    }
}

/// As many lists in one another as the fuel gives and still pays for a use of them; each loop adds as many as the
/// parser takes.
fn nested(then: &str) -> Result<String, ChatTemplateError> {
    const EACH: usize = 70;
    let (open, close) = ("[".repeat(EACH), "]".repeat(EACH));
    let template = |loops: usize| {
        format!(
            "{{% set ns = namespace(s=[1]) %}}{{% for i in range({loops}) %}}{{% set ns.s = {open}ns.s{close} %}}\
             {{% endfor %}}{then}"
        )
    };
    // From too many down, so that the last one that renders is the deepest.
    (0..50)
        .map(|k| render(&template(3500 - 60 * k)))
        .find(|result| *result != Err(ChatTemplateError::OutOfFuel))
        .unwrap()
}

#[test]
fn lists_in_lists_as_deep_as_the_fuel_goes_do_not_take_the_process_down() {
    let uses = [
        "",
        "{{ ns.s }}",
        "{{ ns.s | tojson }}",
        "{{ ns.s ~ 'x' }}",
        "{{ ns.s | string }}",
        "{{ ns.s < [ns.s] }}",
        "{{ {ns.s: 1} | length }}",
        "{{ [ns.s, [ns.s]] | unique | length }}",
        "{{ 'a' in ns.s }}",
    ];
    for then in uses {
        nested(then).unwrap_or_else(|error| panic!("{then}: {error}"));
    }
}

#[test]
fn chains_without_end_are_refused_before_they_are_parsed_and_long_templates_are_not() {
    let chains = [
        format!("{{{{ 1{} }}}}", "+1".repeat(8000)),
        format!("{{{{ a{} }}}}", ".a".repeat(100_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(100_000)),
        format!("{{{{ {} 1 }}}}", "not ".repeat(60_000)),
        format!("{{{{ 1{} }}}}", "|abs".repeat(60_000)),
        format!("{{{{ 1{} }}}}", " if 1".repeat(50_000)),
        // What looks like a comment in a raw block is none.
        format!("{{% raw %}}{{# {{% endraw %}}{{{{ 1{} }}}}", "+1".repeat(8000)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(20_000)),
    ];
    for chain in chains {
        let error = ChatTemplate::new(&chain).unwrap_err();
        assert!(matches!(error, ChatTemplateError::TooComplex { line: 1 }), "{error}");
    }
    let long =
        "{% if messages[0].role == 'system' %}{{ messages[0].content | trim }}{% endif %}".repeat(1000);
    ChatTemplate::new(&long).unwrap();
}

#[test]
fn a_template_that_compares_without_end_is_given_up_and_not_tried_again_meanwhile() {
    let fold = "{% set ns = namespace(s=[1], r=[1]) %}{% for i in range(64) %}{% set ns.s = [ns.s, ns.s] %}\
                {% set ns.r = [ns.r, ns.r] %}{% endfor %}{{ ns.s == ns.r }}";
    let template = ChatTemplate::new(fold).unwrap();
    assert_eq!(template.render(&messages(), true, "", ""), Err(ChatTemplateError::TooSlow));
    let start = std::time::Instant::now();
    assert_eq!(template.render(&messages(), true, "", ""), Err(ChatTemplateError::Overloaded));
    assert!(start.elapsed() < MAX_DURATION);
    // Others go on.
    assert_eq!(render("{{ messages[0].role }}").unwrap(), "system");
}

#[test]
fn output_over_the_cap_is_refused() {
    let long = [ChatMessage::new("user", "x".repeat(3 << 20))];
    let template = ChatTemplate::new("{% for i in [1, 2] %}{{ messages[0].content }}{% endfor %}").unwrap();
    let error = template.render(&long, false, "", "").unwrap_err();
    assert_eq!(error, ChatTemplateError::OutputTooLong { limit: 4 << 20 });
}

#[test]
fn a_template_that_is_not_valid_says_where() {
    let error = ChatTemplate::new("a\n{% for %}").unwrap_err();
    assert!(matches!(&error, ChatTemplateError::Syntax(text) if text.ends_with("(line 2)")), "{error}");
    let large = " ".repeat((256 << 10) + 1);
    assert!(matches!(ChatTemplate::new(&large), Err(ChatTemplateError::TooLarge { .. })));
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(ChatTemplate::new(&format!("{{{{ {nested} }}}}")).is_err());
}
