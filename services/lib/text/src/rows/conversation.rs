//! Conversations as rows: an answer to a user, with all that was said before it.

use std::sync::Arc;

use serde::Deserialize;

use super::{BadField, Row};
use crate::chat::ChatMessage;

/// Messages of a conversation.
const MAX_TURNS: usize = 256;

/// A message as most data sets write it.
#[derive(Deserialize)]
pub(super) struct Turn {
    role: String,
    content: String,
}

/// A message as ShareGPT writes it.
#[derive(Deserialize)]
pub(super) struct Said {
    from: String,
    value: String,
}

impl From<Said> for Turn {
    fn from(said: Said) -> Self {
        Self { role: said.from, content: said.value }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "system" => Some(Self::System),
            "user" | "human" => Some(Self::User),
            "assistant" | "gpt" | "chatgpt" => Some(Self::Assistant),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A row for each answer to a user; what a user says last, unanswered, is in none.
pub(super) fn answers(field: &'static str, turns: Vec<Turn>) -> Result<Vec<Row>, BadField> {
    let refuse = |problem| BadField::new(field, problem);
    if turns.len() > MAX_TURNS {
        return Err(refuse("has more than 256 messages; cut it into several conversations"));
    }
    let mut said: Vec<(Role, Arc<ChatMessage>)> = Vec::with_capacity(turns.len());
    let mut rows = Vec::new();
    for Turn { role, content } in turns {
        let role = Role::parse(&role).ok_or_else(|| {
            refuse("has an unknown role; known are system, user (human) and assistant (gpt)")
        })?;
        if role == Role::System && !said.is_empty() {
            return Err(refuse("has a system message that is not the first"));
        }
        if let (Role::Assistant, Some(((Role::User, question), before))) = (role, said.split_last()) {
            if question.content.trim().is_empty() || content.trim().is_empty() {
                return Err(refuse("has a question or an answer that is blank"));
            }
            rows.push(Row {
                instruction: question.content.clone(),
                output: content.clone(),
                history: before.iter().map(|(_, message)| Arc::clone(message)).collect(),
                ..Row::default()
            });
        }
        said.push((role, Arc::new(ChatMessage::new(role.name(), &content))));
    }
    if rows.is_empty() { Err(refuse("has no answer to a user")) } else { Ok(rows) }
}
