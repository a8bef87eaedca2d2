//! What else can be learned, and how: infilling with a mixture of denoisers, conversations, other optimizers and schedules. All with
//! the command line.
use rootstock_test_support::{Server, fixtures, rootstock};

use crate::ROOTSTOCK;

const FILLER: &str = "output: filler\nnew_model:\n  tokenizer: sentinels\n  hidden_size: 32\n  intermediate_size: 64\n  \
    num_hidden_layers: 2\n  num_attention_heads: 4\n  max_position_embeddings: 128\ndataset: text\n\
    validation_split: 0.1\nobjective: infilling\nmax_length: 48\ndenoisers:\n- {corruption_rate: 0.3, mean_span_length: 2}\n\
    - {continuation: true, prefix_token: '[S]'}\nmethod: full\noptim: adafactor\nlearning_rate: 5e-3\nmax_steps: 20\n\
    lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 5e-4}\nneftune_noise_alpha: 2\nlogging_steps: 5\n";

const TALKER: &str = "output: talker\nbase_model: filler\ndataset: talks\nobjective: supervised\nprompt_template: qa_en\n\
    max_length: 96\nmethod: lora\ntarget_modules: all-linear\noptim: lion_32bit\nlearning_rate: 1e-3\n\
    loraplus_lr_ratio: 4\nlayerwise_lr_decay: 0.9\nlabel_smoothing_factor: 0.1\nmax_steps: 5\n";

const TALK: &str = "{\"conversations\": [{\"from\": \"human\", \"value\": \"colour?\"}, {\"from\": \"gpt\", \"value\": \"red\"}]}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_model_learns_to_fill_in_and_an_adapter_from_conversations() {
    let server = Server::start(ROOTSTOCK).await;
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;

    run(&["data", "import", &write("text.jsonl", &fixtures::text(60)), "--name", "text"]).await.ok();
    run(&["data", "import", &write("talks.jsonl", &TALK.repeat(4)), "--name", "talks"]).await.ok();
    let filler = write("filler.yaml", FILLER);
    let tokenizer = ["tokenizer", "train", "--name", "sentinels", "--dataset", "text", "--vocab-size", "290"];
    run(&tokenizer).await.ok();
    let refused = run(&["train", &filler]).await.refused();
    assert!(refused.contains("[S]") && refused.contains("special token"), "{refused}");

    let special =
        ["<extra_id_0>", "<extra_id_1>", "<extra_id_2>", "[S]"].map(|token| ["--special-token", token]);
    run(&[&tokenizer[..], special.as_flattened()].concat()).await.ok();
    let trained = run(&["train", &filler, "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded", "{trained}");
    let trained = run(&["train", &write("talker.yaml", TALKER), "--json"]).await.json();
    assert_eq!(trained["state"], "succeeded", "{trained}");
}
