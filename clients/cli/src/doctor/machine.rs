//! What this machine computes with: instructions found, limits measured, the path and formats that follow.

use rootstock_kernels::bench::{Peaks, measure_peaks, threads};
use rootstock_kernels::{Dispatch, cuda_devices, dispatch, requested_dispatch};
use serde::Serialize;

use crate::CliError;
use crate::figures::rounded;

/// This machine, as the kernels see it.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// Dispatch paths that the processor has, least first.
    present: Vec<&'static str>,
    /// The one in use.
    dispatch: &'static str,
    /// Whether the environment asked for it.
    requested: bool,
    threads: usize,
    #[serde(serialize_with = "rounded")]
    f32_gflops: f64,
    #[serde(serialize_with = "rounded")]
    bf16_gflops: f64,
    #[serde(serialize_with = "rounded")]
    read_gb_s: f64,
    /// In which format weights are multiplied fastest.
    fastest_format: &'static str,
    /// CUDA devices, by name and memory; absent where the program was built without them.
    #[serde(skip_serializing_if = "Option::is_none")]
    cuda: Option<Vec<String>>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cuda_problem: Option<String>,
}

impl Machine {
    /// Looks and measures; takes about a second, on the calling thread and the kernels'.
    pub(super) fn examine() -> Result<Self, CliError> {
        let requested = requested_dispatch().map_err(|error| CliError::refused(error.to_string()))?;
        let Peaks { f32_gflops, bf16_gflops, read_gb_s, .. } = measure_peaks();
        let (cuda, cuda_problem) = match cuda_devices() {
            Ok(devices) => (devices, None),
            Err(error) => (Some(Vec::new()), Some(error.to_string())),
        };
        let present = Dispatch::ALL.into_iter().filter(|path| path.is_present()).map(Dispatch::name);
        Ok(Self {
            present: present.collect(),
            dispatch: dispatch().name(),
            requested: requested.is_some(),
            threads: threads(),
            f32_gflops,
            bf16_gflops,
            read_gb_s,
            fastest_format: if bf16_gflops > f32_gflops { "bf16" } else { "f32" },
            cuda,
            cuda_problem,
        })
    }

    /// Some lines for a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let asked = if self.requested { ", asked for by the environment" } else { "" };
        let mut lines = vec![
            format!("instructions  {} ({} in use{asked})", self.present.join(" "), self.dispatch),
            format!(
                "limits        {:.0} GFLOP/s in f32, {:.0} in bf16, {:.1} GB/s read, on {} threads",
                self.f32_gflops, self.bf16_gflops, self.read_gb_s, self.threads
            ),
            format!("weights       fastest as {}", self.fastest_format),
        ];
        if let Some(devices) = &self.cuda {
            let found = if devices.is_empty() { "no device".to_owned() } else { devices.join(", ") };
            let why = self.cuda_problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
            lines.push(format!("cuda          {found}{why}"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_the_path_that_it_uses() {
        let machine = Machine::examine().unwrap();
        assert!(machine.present.contains(&machine.dispatch) && machine.threads > 0);
        assert!(machine.lines()[0].contains(machine.dispatch));
    }

    #[test]
    fn cuda_is_spoken_of_where_it_was_built_in() {
        let plain = Machine { cuda: None, cuda_problem: None, ..Machine::examine().unwrap() };
        assert!(plain.lines().iter().all(|line| !line.contains("cuda")));
        let found = Machine { cuda: Some(vec!["A (1 GiB)".into(), "B (2 GiB)".into()]), ..plain };
        assert_eq!(found.lines()[3], "cuda          A (1 GiB), B (2 GiB)");
        let none = Machine { cuda: Some(Vec::new()), cuda_problem: Some("no driver".into()), ..found };
        assert_eq!(none.lines()[3], "cuda          no device: no driver");
    }
}
