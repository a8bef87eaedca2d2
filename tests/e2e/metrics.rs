//! What a job has reported, as files for other tools: a table, a TensorBoard event file, a picture.
use rootstock_test_support::{Server, fixtures, rootstock};

use crate::ROOTSTOCK;

const TRAINING: &str = "output: colours\nbase_model: tiny\ndataset: rows\nvalidation_split: 0.2\nobjective: supervised\n\
    prompt_template: qa_en\nmax_length: 96\nmethod: lora\nmax_steps: 6\nlogging_steps: 2\npriority: -3\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_leaves_a_table_an_event_file_and_a_picture() {
    let server = Server::start(ROOTSTOCK).await;
    fixtures::stage(&server.clients()).await;
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await;
    std::fs::write(path("job.yaml"), TRAINING).unwrap();
    run(&["train", &path("job.yaml"), "--id", "drawn", "--plot", &path("loss.svg")]).await.ok();
    let svg = std::fs::read_to_string(path("loss.svg")).unwrap();
    assert!(svg.contains("trainingJobs/drawn") && svg.matches("<polyline").count() == 3, "{svg}");

    let written = ["jobs", "metrics", "drawn", "--csv", &path("loss.csv"), "--tensorboard", &path("board")];
    run(&written).await.ok();
    let table = std::fs::read_to_string(path("loss.csv")).unwrap();
    let steps: Vec<_> = table.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(steps, ["0", "2", "4", "6"], "the first is the validation before training: {table}");
    let board = std::fs::read(files.path().join("board/events.out.tfevents.rootstock")).unwrap();
    assert!(board.windows(10).any(|bytes| bytes == b"train/loss"), "{} bytes", board.len());
}
