//! Numbers at the ends of their types: each is computed with or refused for what it is, and the server serves on.

use super::*;

/// The tokens that a request is answered with.
async fn ids(world: &World, request: proto::GenerateRequest) -> Result<Vec<u32>, Status> {
    let api = super::super::generation::Api { generation: world.core.generation.clone() };
    let messages: Vec<_> = api.generate(Request::new(request)).await?.into_inner().try_collect().await?;
    let delta = |response: proto::GenerateResponse| match response.message {
        Some(Message::Delta(delta)) => delta.tokens,
        _ => Vec::new(),
    };
    Ok(messages.into_iter().flat_map(delta).map(|token| token.id).collect())
}

#[tokio::test]
async fn a_text_beyond_the_context_is_refused_whether_its_prompt_or_its_answer_is_too_long() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    let asked = |prompt: usize, max_tokens| {
        let mut request = generate("");
        request.input = Some(Input::PromptIds(proto::TokenIds { ids: vec![5; prompt] }));
        request.sampling.as_mut().unwrap().max_tokens = max_tokens;
        request
    };
    for (prompt, max_tokens) in [(1, i32::MAX), (1, 4096), (4096, 1), (5000, 1)] {
        let refused = ids(&world, asked(prompt, max_tokens)).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, "CONTEXT_TOO_LONG");
        let (had, limit) = (format!("{prompt} tokens and {max_tokens} more"), "context of 4096");
        assert!(refused.message().contains(&had) && refused.message().contains(limit), "{refused}");
    }
    assert_eq!(ids(&world, asked(4095, 1)).await.unwrap().len(), 1);
    assert_eq!(ids(&world, asked(1, 4)).await.unwrap().len(), 4);
}

#[tokio::test]
async fn seeds_at_both_ends_are_seeds_like_any_other() {
    let world = World::start(Config::default()).await;
    world.store.put_model("base", 1);
    let drawn = async |seed| {
        let mut request = generate("");
        let sampling = request.sampling.as_mut().unwrap();
        (sampling.seed, sampling.temperature, sampling.max_tokens) = (Some(seed), 3.0, 30);
        ids(&world, request).await.unwrap()
    };
    let (first, last) = (drawn(0).await, drawn(u64::MAX).await);
    assert_ne!(first, last);
    assert_eq!((drawn(0).await, drawn(u64::MAX).await), (first, last));
}
