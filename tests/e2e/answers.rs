//! An answer depends on its request alone: whoever is computed beside it, whatever is taken over or computed twice, and whenever.
use futures::{StreamExt, stream};
use rootstock_client::Clients;
use rootstock_client::proto::inference::v1::generate_request::Input;
use rootstock_client::proto::inference::v1::{GenerateRequest, SamplingParams, WeightedAdapter};
use rootstock_test_support::streams::ids_request;
use rootstock_test_support::{Server, ServerOptions, fixtures, generate, rootstock};

use crate::ROOTSTOCK;

/// Requests, unless the variable says how many.
const REQUESTS: usize = 120;
const REQUESTS_VARIABLE: &str = "ROOTSTOCK_E2E_REQUESTS";
const AT_ONCE: usize = 32;
const ADAPTERS: [(&str, &str); 12] = [
    ("lora", "lora"),
    ("rslora", "rslora"),
    ("dora", "kinds/dora"),
    ("patterns", "kinds/patterns"),
    ("tied-head", "kinds/tied_head"),
    ("tied-ends", "kinds/tied_ends"),
    ("prompt", "soft/prompt"),
    ("prefix", "soft/prefix"),
    ("projected", "soft/projected"),
    ("houlsby", "bottleneck/houlsby"),
    ("pfeiffer", "bottleneck/pfeiffer"),
    ("parallel", "bottleneck/parallel"),
];

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn ids(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(255) as u32 + 1).collect()
    }
}

/// A server with the golden model and adapters of every kind.
async fn stage(options: ServerOptions) -> Server {
    let server = options.start().await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    run(&["models", "import", fixtures::golden("tied").to_str().unwrap(), "--name", "tied"]).await.ok();
    for (id, dir) in ADAPTERS {
        let path = fixtures::golden(dir);
        run(&["adapters", "import", path.to_str().unwrap(), "--name", id, "--base", "tied"]).await.ok();
        run(&["adapters", "publish", id]).await.ok();
    }
    server
}

/// Requests of all lengths, half of them with one of a few beginnings, to the base, each kind of adapter, and sums; half of them
/// sampled.
fn requests() -> Vec<GenerateRequest> {
    let count =
        std::env::var(REQUESTS_VARIABLE).ok().and_then(|count| count.parse().ok()).unwrap_or(REQUESTS);
    let mut numbers = Numbers(7);
    let beginnings: Vec<Vec<u32>> = (0..3).map(|_| numbers.ids(70)).collect();
    let request = |number: usize| {
        // With a beginning a request has two blocks of 64 tokens from its start; without, it comes to its second on the way.
        let begins = numbers.below(2) == 0;
        let mut prompt = if begins { beginnings[numbers.below(3)].clone() } else { Vec::new() };
        let length = if begins { 1 + numbers.below(28) } else { 30 + numbers.below(34) };
        prompt.extend(numbers.ids(length));
        let most = if begins { 26 } else { 60 };
        let mut request = ids_request("baseModels/tied", "", prompt, 1 + numbers.below(most) as i32);
        match numbers.below(ADAPTERS.len() + 2) {
            0 => {}
            1 => {
                request.adapters = [("adapters/lora", 0.7), ("adapters/rslora", -0.4)]
                    .map(|(name, weight)| WeightedAdapter { name: name.into(), weight: Some(weight) })
                    .into();
            }
            kind => request.adapter = format!("adapters/{}", ADAPTERS[kind - 2].0),
        }
        if number.is_multiple_of(2) {
            let sampling = request.sampling.take().unwrap_or_default();
            let seed = Some(number as u64);
            request.sampling = Some(SamplingParams { temperature: 0.9, seed, ..sampling });
        }
        request
    };
    (0..count).map(request).collect()
}

/// The tokens of all answers, so many requests under way at a time.
async fn answers(clients: &Clients, requests: &[GenerateRequest], at_once: usize) -> Vec<Vec<u32>> {
    let asked = stream::iter(requests.iter().cloned()).map(|request| generate(clients, request));
    asked.buffered(at_once).map(|answer| answer.unwrap().ids).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_alone_in_any_company_from_kept_blocks_after_preemption_and_a_restart() {
    let requests = requests();
    let alone = ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_INFERENCE_PREFIX_CACHE", "false");
    let alone = stage(alone).await;
    let expected = answers(&alone.clients(), &requests, 1).await;
    // A request takes up to two blocks of 8 KiB; there is room for fewer than run at once.
    let crowded = ServerOptions::new(ROOTSTOCK)
        .env("ROOTSTOCK_INFERENCE_MAX_RUNNING", AT_ONCE.to_string())
        .env("ROOTSTOCK_INFERENCE_KV_CACHE_BYTES", (10 * 8192).to_string());
    let mut crowded = stage(crowded).await;
    for round in ["at first", "with kept blocks", "after a restart"] {
        if round == "after a restart" {
            crowded.kill9(false).await;
            crowded.start_again().await;
        }
        let found = answers(&crowded.clients(), &requests, AT_ONCE).await;
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "{round}: {:?}", requests[number]);
        }
    }
    // Among so many a kept block may be gone before its next request comes; alone the second of two alike finds it.
    let whole_block = |request: &GenerateRequest| match &request.input {
        Some(Input::PromptIds(prompt)) => prompt.ids.len() > 64 && request.adapters.is_empty(),
        _ => false,
    };
    let kept = requests.iter().position(whole_block).unwrap();
    let twice = [requests[kept].clone(), requests[kept].clone()];
    let found = answers(&crowded.clients(), &twice, 1).await;
    assert_eq!(found, [expected[kept].clone(), expected[kept].clone()], "twice: {:?}", requests[kept]);
    let metrics = crate::discovery::get(crowded.metrics_endpoint(), "/metrics").await;
    let counted = |name: &str| metrics.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"));
    assert!(counted("rootstock_inference_preemptions_total"), "nobody was preempted: {metrics}");
    assert!(
        counted("rootstock_inference_tokens_total{kind=\"prompt_cached\"}"),
        "nothing was kept: {metrics}"
    );
}
