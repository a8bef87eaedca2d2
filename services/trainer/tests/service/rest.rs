//! Pausing and cancelling in every phase: how soon it is heard, what is kept, and that what goes on has the same bits.

use std::time::{Duration, Instant};

use proto::{TrainingJobState, TrainingPhase, training_event::Event};
use rootstock_client::ErrorReason;
use rootstock_proto::{checkpoint::v1::ArtifactKind, training::v1 as proto};
use rootstock_trainer::worker::{Ended, WorkerError, run};
use tokio::task::JoinHandle;

use crate::{
    bench::{Bench, Script, eventually, finetuning, pretraining},
    store::Call,
    training::{bench, with},
};

/// How long what is computed may go on after the call.
const SOON: Duration = Duration::from_secs(1);
/// Long enough that a job is met in the middle.
const STEPS: i64 = 300;
/// As many as make a job that nobody waits for.
const ENDLESS: i64 = 100_000;

/// Where a pause or an end is to come: the phase that was told, and the call that holds the job there. Where none does, the job is held
/// at its end, so that it has one only once it was heard.
const PHASES: [(TrainingPhase, Option<Call>); 7] = [
    (TrainingPhase::Downloading, Some(Call::GetArtifact)),
    (TrainingPhase::Tokenizing, Some(Call::EncodeStream)),
    (TrainingPhase::Loading, None),
    (TrainingPhase::Training, None),
    (TrainingPhase::Validating, None),
    (TrainingPhase::Saving, Some(Call::CommitArtifact)),
    (TrainingPhase::Uploading, Some(Call::CommitArtifact)),
];

/// A job of which states are saved as the phase wants it: while it trains, at its end, or never.
fn spec(phase: TrainingPhase, steps: i64) -> proto::TrainingSpec {
    let spec = proto::TrainingSpec { validation_split: 0.3, ..finetuning() };
    with(spec, |arguments| {
        arguments.max_steps = steps;
        arguments.eval_steps = 3;
        arguments.save_steps = match phase {
            TrainingPhase::Uploading => 0,
            TrainingPhase::Saving => steps,
            _ => 50,
        };
    })
}

/// The real worker in this process, and the process that stands for it.
struct Computed {
    worker: JoinHandle<Result<Ended, WorkerError>>,
    pid: u32,
}

impl Bench {
    async fn begin(&self, job: &str) -> Computed {
        let (token, pid) = self.worker_of(job).await;
        Computed { worker: tokio::spawn(run(self.worker_args(job, &token))), pid }
    }

    /// Brings a new job of so many steps to a phase, and holds it there.
    async fn at(
        &self,
        id: &str,
        (phase, call): (TrainingPhase, Option<Call>),
        steps: i64,
    ) -> (String, Computed) {
        let job = self.create(id, spec(phase, steps)).await;
        self.store.hold(call.or(Some(Call::CommitArtifact)));
        let computed = self.begin(&job).await;
        self.does(&job, phase).await;
        (job, computed)
    }
}

impl Computed {
    async fn ended(self) -> Ended {
        let ended = self.worker.await.unwrap().unwrap();
        // The process that this worker stands for ends with it.
        let killed = std::process::Command::new("kill").args(["-9", &self.pid.to_string()]).status();
        assert!(killed.unwrap().success());
        ended
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_paused_in_every_phase_and_goes_on_to_the_same_bits() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let undisturbed = bench.succeed("undisturbed", spec(TrainingPhase::Training, STEPS)).await.result_digest;
    for (phase, call) in PHASES {
        let id = format!("{phase:?}").to_lowercase();
        let (job, computed) = bench.at(&id, (phase, call), STEPS).await;
        let began = Instant::now();
        let pausing = bench.training().pause_training_job(&job).await.unwrap();
        assert_eq!(pausing.state(), TrainingJobState::Pausing, "{phase:?}");
        if call == Some(Call::CommitArtifact) {
            // The state is saved before the worker ends, however long that takes.
            let saves = async || bench.store.is_wanted(ArtifactKind::TrainingState).then_some(());
            eventually("the state is being saved", saves).await;
        }
        if matches!(call, None | Some(Call::CommitArtifact)) {
            // The worker hears of the pause by a heartbeat that begins after the call; when the third is answered, it has. With nothing
            // to save it may have ended.
            let third = bench.heartbeats() + 3;
            let heard = || bench.heartbeats() >= third || computed.worker.is_finished();
            eventually("the worker hears", async || heard().then_some(())).await;
            assert_eq!(bench.job(&job).await.state(), TrainingJobState::Pausing, "{phase:?}");
            bench.store.hold(None);
        }
        assert_eq!(computed.ended().await, Ended::Paused, "{phase:?}");
        assert!(began.elapsed() < SOON, "{phase:?}: {:?}", began.elapsed());
        bench.reaches(&job, TrainingJobState::Paused).await;
        bench.store.hold(None);

        let told = bench.job(&job).await.progress.unwrap_or_default().step;
        let resumed = bench.training().resume_training_job(&job).await.unwrap();
        assert_eq!((resumed.state(), resumed.queue_position), (TrainingJobState::Queued, 1), "{phase:?}");
        assert_eq!(bench.begin(&job).await.ended().await, Ended::Succeeded, "{phase:?}");
        let job = bench.job(&job).await;
        assert_eq!(job.result_digest, undisturbed, "{phase:?}");
        let on = bench.events(&job.name).await.into_iter().find_map(|event| match event {
            Event::Resumed(resumed) => Some(resumed.step),
            _ => None,
        });
        // Reports come every few steps, states after each pause: nothing that was told is made again.
        assert!(on.unwrap_or(0) >= told, "{phase:?}: went on after {on:?}, but step {told} was told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_in_every_phase() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    for (phase, call) in PHASES {
        let id = format!("{phase:?}").to_lowercase();
        let at_end = matches!(phase, TrainingPhase::Saving | TrainingPhase::Uploading);
        let steps = if at_end { STEPS } else { ENDLESS };
        let (job, computed) = bench.at(&id, (phase, call), steps).await;
        let began = Instant::now();
        bench.training().cancel_training_job(&job).await.unwrap();
        assert_eq!(computed.ended().await, Ended::Cancelled, "{phase:?}");
        assert!(began.elapsed() < SOON, "{phase:?}: {:?}", began.elapsed());
        bench.store.hold(None);
        assert_eq!(bench.job(&job).await.state(), TrainingJobState::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_or_whose_worker_is_only_starting_is_paused_too() {
    let bench = Bench::with(Script::Played, |config| config.workers = 1).await;
    let starting = bench.create("starting", pretraining()).await;
    let waiting = bench.create("waiting", pretraining()).await;
    let (token, pid) = bench.worker_of(&starting).await;
    let paused = bench.training().pause_training_job(&waiting).await.unwrap();
    assert_eq!(paused.state(), TrainingJobState::Paused);
    let pausing = bench.training().pause_training_job(&starting).await.unwrap();
    assert_eq!(pausing.state(), TrainingJobState::Pausing);
    let worker = tokio::spawn(run(bench.worker_args(&starting, &token)));
    assert_eq!(Computed { worker, pid }.ended().await, Ended::LeaseLost);
    bench.reaches(&starting, TrainingJobState::Paused).await;

    for job in [&waiting, &starting] {
        bench.training().resume_training_job(job).await.unwrap();
        assert_eq!(bench.begin(job).await.ended().await, Ended::Succeeded);
    }
    let digests = [bench.job(&waiting).await.result_digest, bench.job(&starting).await.result_digest];
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_state_is_being_saved_a_job_is_pausing_and_can_still_be_cancelled() {
    let bench = bench().await;
    bench.succeed("base", pretraining()).await;
    let place = (TrainingPhase::Uploading, Some(Call::CommitArtifact));
    let (job, computed) = bench.at("held", place, STEPS).await;
    bench.training().pause_training_job(&job).await.unwrap();
    let resumed = bench.training().resume_training_job(&job).await.unwrap_err();
    assert!(resumed.message.contains("is pausing, not paused"), "{resumed}");
    bench.training().cancel_training_job(&job).await.unwrap();
    assert_eq!(computed.ended().await, Ended::Cancelled);
    bench.store.hold(None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_data_are_gone_rests_until_they_are_back() {
    let bench = Bench::with(Script::Played, |config| config.workers = 1).await;
    let first = bench.create("first", pretraining()).await;
    bench.worker_of(&first).await;
    let job = bench.create("waiting", pretraining()).await;
    bench.training().pause_training_job(&job).await.unwrap();
    let digest = bench.store.find(&pretraining().dataset).unwrap().digest;
    let data = bench.store.take(&digest);
    let refused = bench.training().resume_training_job(&job).await.unwrap_err();
    assert!(refused.is(ErrorReason::WrongState), "{refused}");
    assert!(refused.message.contains(&format!("needs data set {digest}")), "{refused}");
    assert_eq!(bench.job(&job).await.state(), TrainingJobState::Paused);
    bench.store.give(data);
    let resumed = bench.training().resume_training_job(&job).await.unwrap();
    assert_eq!(resumed.state(), TrainingJobState::Queued);
}
