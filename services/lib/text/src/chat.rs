//! Chat templates: the Jinja programs that come with a tokenizer, run with fuel, an output cap, a time limit, no clock
//! and no I/O, and otherwise as transformers runs them.

mod generation;
mod methods;
mod scan;
mod thread;
mod tojson;

use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value, context};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use scan::MAX_CHAIN;
use thread::Abandoned;
pub use thread::{MAX_ABANDONED, MAX_DURATION};

/// The largest template accepted, in bytes; published ones have a few thousand.
pub const MAX_TEMPLATE_BYTES: usize = 256 << 10;
/// The largest rendering, in bytes.
pub const MAX_RENDERED_BYTES: usize = 4 << 20;
/// Work one rendering may do: an instruction costs one, and so do 64 bytes that are made or read.
/// It is also the most that lists can be nested, so the stack is made to hold as many.
const FUEL: u64 = 250_000;
/// How deep macros may call each other.
const RECURSION: usize = 64;
const NAME: &str = "chat_template";

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl ChatMessage {
    /// A message of a role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// Why a chat template was refused, or a conversation not rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChatTemplateError {
    /// The tokenizer has none.
    #[error(
        "the tokenizer has no chat template; add chat_template to tokenizer_config.json, or use another prompt template"
    )]
    Absent,
    /// The template is too large.
    #[error("the chat template has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit it is over.
        limit: usize,
    },
    /// The template is not valid.
    #[error("the chat template is not valid: {0}")]
    Syntax(String),
    /// The template has a block that is too long to be parsed safely.
    #[error(
        "the chat template has more than {MAX_CHAIN} operators, names and values in one block, or as many elif \
         (line {line}); split it up with set"
    )]
    TooComplex {
        /// The line where it goes over the limit.
        line: usize,
    },
    /// The template refuses the conversation, in its own words.
    #[error("the chat template refuses these messages: {0}")]
    Raised(String),
    /// The template asks for the date.
    #[error(
        "the chat template calls strftime_now, which is left out: a prompt must not depend on the day; \
         test `strftime_now is defined` in the template, or write a date into it"
    )]
    Clock,
    /// The template does too much work.
    #[error("the chat template needs more than the {FUEL} steps allowed")]
    OutOfFuel,
    /// The template takes too long.
    #[error("the chat template takes longer than the {} seconds allowed; it may compare large lists", MAX_DURATION.as_secs())]
    TooSlow,
    /// Templates that took too long are still running.
    #[error(
        "chat templates that were given up on still run, this one or {MAX_ABANDONED} others; retry later, and replace \
         the template if it goes on"
    )]
    Overloaded,
    /// The rendering is too long.
    #[error("the chat template gives more than the {limit} bytes allowed")]
    OutputTooLong {
        /// The limit.
        limit: usize,
    },
    /// The template failed.
    #[error("the chat template failed: {0}")]
    Failed(String),
}

/// A compiled chat template.
///
/// Fuel pays for instructions, strings and output. It does not pay for lists that hold one another many times over (the
/// engine shares them), so a template that sets out to can make the engine walk such a list for years when it compares
/// or joins it: for that there is the time limit.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Arc<Environment<'static>>,
    abandoned: Abandoned,
}

/// What `raise_exception` was called with, carried through the engine's error.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// Too large, too complex, or not a valid template.
    pub fn new(source: &str) -> Result<Self, ChatTemplateError> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(ChatTemplateError::TooLarge { bytes: source.len(), limit: MAX_TEMPLATE_BYTES });
        }
        scan::check(source, syntax()?)?;
        let (abandoned, source) = (Abandoned::default(), generation::rewritten(source));
        let environment = abandoned.run(|| compiled(source))??;
        Ok(Self { environment: Arc::new(environment), abandoned })
    }

    /// Renders a conversation. `add_generation_prompt` asks for the beginning of the assistant's answer;
    /// `bos` and `eos` are what the template knows as `bos_token` and `eos_token`.
    ///
    /// # Errors
    /// The template refuses the messages, fails, or goes beyond its fuel, its output cap or its time.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
        bos: &str,
        eos: &str,
    ) -> Result<String, ChatTemplateError> {
        self.abandoned.check()?;
        let value = |m: &ChatMessage| Value::from_pairs([("role", &*m.role), ("content", &*m.content)]);
        let values: Vec<Value> = messages.iter().map(value).collect();
        let context =
            context! { messages => values, add_generation_prompt, bos_token => bos, eos_token => eos };
        let environment = Arc::clone(&self.environment);
        self.abandoned.run(move || rendered(&environment, context))?
    }
}

fn compiled(source: String) -> Result<Environment<'static>, ChatTemplateError> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // As transformers sets its Jinja up.
    environment.set_syntax(syntax()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(methods::call);
    environment.add_filter("tojson", tojson::tojson);
    // They write a line for each level of a list, indented: more than any memory holds, and nothing pays for it.
    environment.remove_filter("pprint");
    environment.remove_global("debug");
    environment.add_function("raise_exception", raise_exception);
    let added = environment.add_template_owned(NAME, source);
    added.map_err(|error| ChatTemplateError::Syntax(described(&error)))?;
    Ok(environment)
}

fn rendered(environment: &Environment<'static>, context: Value) -> Result<String, ChatTemplateError> {
    let template = environment.get_template(NAME).map_err(|error| typed(&error))?;
    let mut output = Capped { text: Vec::new(), limit: MAX_RENDERED_BYTES, full: false };
    let result = template.render_captured_to(context, &mut output).map(|_| ());
    if output.full {
        return Err(ChatTemplateError::OutputTooLong { limit: output.limit });
    }
    result.map_err(|error| typed(&error))?;
    String::from_utf8(output.text).map_err(|error| ChatTemplateError::Failed(error.to_string()))
}

fn syntax() -> Result<SyntaxConfig, ChatTemplateError> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| ChatTemplateError::Syntax(described(&error)))
}

fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(message)))
}

fn typed(error: &minijinja::Error) -> ChatTemplateError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(Raised(message)) = current.downcast_ref() {
            return ChatTemplateError::Raised(message.clone());
        }
        match current.downcast_ref::<minijinja::Error>() {
            Some(inner) if inner.kind() == ErrorKind::OutOfFuel => return ChatTemplateError::OutOfFuel,
            Some(inner) if asks_for_clock(inner) => return ChatTemplateError::Clock,
            _ => cause = current.source(),
        }
    }
    ChatTemplateError::Failed(described(error))
}

fn asks_for_clock(error: &minijinja::Error) -> bool {
    error.kind() == ErrorKind::UnknownFunction && error.detail().is_some_and(|d| d.contains("strftime_now"))
}

/// The engine's message with its line, without the excerpt of the template.
fn described(error: &minijinja::Error) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        text.push_str(": ");
        text.push_str(detail);
    }
    if let Some(line) = error.line() {
        text.push_str(&format!(" (line {line})"));
    }
    text
}

/// A buffer that refuses to grow over its limit.
struct Capped {
    text: Vec<u8>,
    limit: usize,
    full: bool,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            self.full = true;
            return Err(io::Error::other("over the limit"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
