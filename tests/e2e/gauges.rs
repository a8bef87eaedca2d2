//! What a load balancer reads of a server that serves models: who waits, who runs, how full the room for keys and values is, and which
//! adapters are at work.
use std::time::Duration;

use rootstock_test_support::eventually::eventually;
use rootstock_test_support::streams::ids_request;
use rootstock_test_support::{Server, ServerOptions, fixtures, generate, rootstock};

use crate::ROOTSTOCK;

const PATIENCE: Duration = Duration::from_secs(60);
const ADAPTERS: [&str; 2] = ["lora", "rslora"];

/// One scrape.
struct Scrape(String);

impl Scrape {
    async fn of(server: &Server) -> Self {
        Self(crate::discovery::get(server.metrics_endpoint(), "/metrics").await)
    }

    fn line(&self, name: &str) -> &str {
        self.0.lines().find(|line| line.starts_with(name)).unwrap()
    }

    fn value(&self, name: &str) -> f64 {
        self.line(name).rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn in_use(&self) -> f64 {
        self.value("rootstock_inference_kv_cache_in_use_ratio")
    }

    /// The names under a label of the adapters at work.
    fn adapters(&self, label: &str) -> String {
        let line = self.line("rootstock_inference_lora_requests_info");
        let (_, after) = line.split_once(&format!("{label}=\"")).unwrap();
        after.split_once('"').unwrap().0.to_owned()
    }

    fn is_busy(&self) -> bool {
        let is_one = |names: &str| ADAPTERS.iter().any(|id| names == format!("adapters/{id}"));
        self.value("rootstock_inference_queued") > 0.0
            && self.value("rootstock_inference_running") == 1.0
            && is_one(&self.adapters("running_lora_adapters"))
            && self.adapters("waiting_lora_adapters") == "adapters/lora,adapters/rslora"
    }

    fn is_quiet(&self) -> bool {
        let names = ["running_lora_adapters", "waiting_lora_adapters"].map(|label| self.adapters(label));
        self.value("rootstock_inference_queued") == 0.0 && self.in_use() == 0.0 && names == ["", ""]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_sees_who_waits_who_runs_with_which_adapters_and_how_much_room_is_left() {
    let server = ServerOptions::new(ROOTSTOCK).env("ROOTSTOCK_INFERENCE_MAX_RUNNING", "1").start().await;
    let run = async |args: &[&str]| rootstock(ROOTSTOCK, server.endpoint(), args).await.ok();
    run(&["models", "import", fixtures::golden("tied").to_str().unwrap(), "--name", "tied"]).await;
    for id in ADAPTERS {
        run(&["adapters", "import", fixtures::golden(id).to_str().unwrap(), "--name", id, "--base", "tied"])
            .await;
        run(&["adapters", "publish", id]).await;
    }
    let clients = server.clients();
    let asking = async {
        loop {
            let asked = (0..8).map(|number| {
                let adapter = format!("adapters/{}", ADAPTERS[number % 2]);
                generate(&clients, ids_request("baseModels/tied", &adapter, vec![1, 2, 3], 100))
            });
            for answer in futures::future::join_all(asked).await {
                assert_eq!(answer.unwrap().ids.len(), 100);
            }
        }
    };
    let watching = eventually(PATIENCE, "one runs and others wait", || async {
        let scrape = Scrape::of(&server).await;
        scrape.is_busy().then_some(scrape)
    });
    let busy = tokio::select! {
        busy = watching => busy,
        () = asking => panic!("it asks as long as nobody has seen it"),
    };
    assert!(busy.in_use() > 0.0 && busy.in_use() <= 1.0, "{}", busy.0);
    assert!(busy.line("rootstock_inference_lora_requests_info").contains("max_lora=\"1\""), "{}", busy.0);
    eventually(PATIENCE, "nobody is there any more", || async {
        let scrape = Scrape::of(&server).await;
        scrape.is_quiet().then_some(())
    })
    .await;
}
