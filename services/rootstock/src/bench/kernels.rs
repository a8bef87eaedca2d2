//! `rootstock bench kernels`: each product of the kernels beside the limits of the machine, measured in the same run.

use clap::Args;
use rootstock_kernels::Format;
use rootstock_kernels::bench::{Direction, LinearCase, LoraCase, Peaks, Weights, measure_peaks};
use serde::Serialize;

use super::BenchError;
use super::output::Output;

/// Rows, inputs and outputs of the maps that are measured: training, prefill, the head, decode batches, one stream.
const SHAPES: [(usize, usize, usize); 9] = [
    (512, 2048, 2048),
    (1024, 576, 1536),
    (1024, 1536, 576),
    (512, 576, 49152),
    (32, 576, 1536),
    (32, 2048, 2048),
    (8, 2048, 2048),
    (1, 2048, 2048),
    (1, 576, 49152),
];
/// Rows with an adapter each, inputs, outputs and rank of the maps that are measured with adapters.
const LORA_SHAPES: [LoraCase; 2] = [
    LoraCase { rows: 32, inputs: 2048, outputs: 2048, rank: 16 },
    LoraCase { rows: 32, inputs: 1536, outputs: 576, rank: 16 },
];
/// Up to this many rows, a weight comes from memory each time it is used, and is measured so too.
const COLD_ROWS: usize = 64;
/// From this many rows on, gradients are computed.
const TRAINED_ROWS: usize = 128;

/// What `--help` ends with.
const COLUMNS: &str = "\
The first line has the limits, measured once as the run begins: multiplications by format, and memory reads.
Each line after it has
  the product and the format of its weights
  rows x inputs x outputs
  cold, where the weights come from memory each time, or resident, where they may stay in the caches
  GFLOP/s, and GB/s of weights
  %, the share of the nearer limit: multiplications of that format, or where cold, memory reads if they are
    nearer. The limits may be measured at another clock than a product, so it may exceed 100
  for products with a LoRA for each row, the time over that of reading all weights from memory and then
    multiplying as fast as the resident map without LoRAs does";

/// Arguments of `rootstock bench kernels`.
#[derive(Debug, Args)]
#[command(after_help = COLUMNS)]
pub struct KernelsArgs {
    /// Print the figures as one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    dispatch: &'static str,
    threads: usize,
    peak_f32_gflops: f64,
    peak_bf16_gflops: f64,
    peak_int8_gops: f64,
    read_gb_s: f64,
    kernels: Vec<Figure>,
}

/// One product.
#[derive(Debug, Serialize)]
struct Figure {
    op: &'static str,
    format: &'static str,
    rows: usize,
    inputs: usize,
    outputs: usize,
    weights: &'static str,
    gflops: f64,
    weight_gb_s: f64,
    /// Of the limit that is nearer: multiplications, or bytes of weights read where they are cold.
    share_of_peak: f64,
    /// With adapters: the time it took, over that of reading all weights from memory and then multiplying as fast as the map without
    /// adapters does.
    #[serde(skip_serializing_if = "Option::is_none")]
    times_of_limit: Option<f64>,
}

/// Measures, and prints the figures.
pub(super) fn run(args: &KernelsArgs) -> Result<(), BenchError> {
    let output = Output::new(args.json);
    let peaks = measure_peaks();
    output.line(&format!(
        "{} on {} threads: {:.0} f32 GFLOP/s, {:.0} bf16 GFLOP/s, {:.0} int8 GOP/s, {:.1} GB/s read",
        rootstock_kernels::dispatch(),
        rootstock_kernels::bench::threads(),
        peaks.f32_gflops,
        peaks.bf16_gflops,
        peaks.int8_gops,
        peaks.read_gb_s
    ));
    let mut kernels = Vec::new();
    for (case, weights) in cases() {
        let figure = measure(case, weights, &peaks)?;
        output.line(&figure.line());
        kernels.push(figure);
    }
    for case in LORA_SHAPES {
        let figure = measure_lora(case, &peaks)?;
        output.line(&figure.line());
        kernels.push(figure);
    }
    if !args.json {
        return Ok(());
    }
    output.result(&Report {
        dispatch: rootstock_kernels::dispatch().name(),
        threads: rootstock_kernels::bench::threads(),
        peak_f32_gflops: peaks.f32_gflops,
        peak_bf16_gflops: peaks.bf16_gflops,
        peak_int8_gops: peaks.int8_gops,
        read_gb_s: peaks.read_gb_s,
        kernels,
    })
}

fn cases() -> Vec<(LinearCase, Weights)> {
    let mut cases = Vec::new();
    for format in [Format::Bf16, Format::F32, Format::Int8] {
        for (rows, inputs, outputs) in SHAPES {
            let case = LinearCase { rows, inputs, outputs, format, direction: Direction::Forward };
            if rows <= COLD_ROWS {
                cases.push((case, Weights::Cold));
            }
            cases.push((case, Weights::Resident));
            if rows >= TRAINED_ROWS && format != Format::Int8 {
                cases.push((LinearCase { direction: Direction::InputGradient, ..case }, Weights::Resident));
            }
        }
    }
    cases
}

fn measure(case: LinearCase, weights: Weights, peaks: &Peaks) -> Result<Figure, BenchError> {
    let seconds = case.measure(weights)?;
    let (gflops, read) = (case.flops() / seconds / 1e9, case.weight_bytes() / seconds / 1e9);
    let peak = match case.format {
        Format::F32 | Format::F16 => peaks.f32_gflops,
        Format::Bf16 => peaks.bf16_gflops,
        Format::Int8 => peaks.int8_gops,
    };
    let from_memory = if weights == Weights::Cold { read / peaks.read_gb_s } else { 0.0 };
    Ok(Figure {
        op: if case.direction == Direction::Forward { "linear" } else { "linear_input_gradient" },
        format: case.format.name(),
        rows: case.rows,
        inputs: case.inputs,
        outputs: case.outputs,
        weights: if weights == Weights::Cold { "cold" } else { "resident" },
        gflops,
        weight_gb_s: read,
        share_of_peak: from_memory.max(gflops / peak),
        times_of_limit: None,
    })
}

fn measure_lora(case: LoraCase, peaks: &Peaks) -> Result<Figure, BenchError> {
    let LoraCase { rows, inputs, outputs, .. } = case;
    let (format, direction) = (Format::Bf16, Direction::Forward);
    let bare = LinearCase { rows, inputs, outputs, format, direction };
    let rate = bare.flops() / bare.measure(Weights::Resident)?;
    let seconds = case.measure(Weights::Cold)?;
    let limit = case.weight_bytes() / (peaks.read_gb_s * 1e9) + case.flops() / rate;
    let (gflops, read) = (case.flops() / seconds / 1e9, case.weight_bytes() / seconds / 1e9);
    Ok(Figure {
        op: "lora_linear_rows",
        format: format.name(),
        rows,
        inputs,
        outputs,
        weights: "cold",
        gflops,
        weight_gb_s: read,
        share_of_peak: (read / peaks.read_gb_s).max(gflops / peaks.bf16_gflops),
        times_of_limit: Some(seconds / limit),
    })
}

impl Figure {
    fn line(&self) -> String {
        let size = format!("{}x{}x{}", self.rows, self.inputs, self.outputs);
        let limit = self.times_of_limit.map(|times| format!(" {times:.2}x the limit")).unwrap_or_default();
        format!(
            "{:<22} {:<5} {size:<16} {:<9} {:>7.1} GFLOP/s {:>6.1} GB/s {:>4.0}%{limit}",
            self.op,
            self.format,
            self.weights,
            self.gflops,
            self.weight_gb_s,
            100.0 * self.share_of_peak
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_are_measured_cold_and_large_ones_with_their_gradient() {
        let cases = cases();
        let cold = |rows| cases.iter().any(|(case, w)| case.rows == rows && *w == Weights::Cold);
        assert!(cold(1) && cold(8) && !cold(512));
        let gradients = cases.iter().filter(|(case, _)| case.direction == Direction::InputGradient);
        assert!(
            gradients.clone().count() > 0 && gradients.clone().all(|(case, _)| case.rows >= TRAINED_ROWS)
        );
    }

    #[test]
    fn a_share_is_of_the_nearer_limit() {
        let peaks = Peaks { f32_gflops: 1e9, bf16_gflops: 1e9, int8_gops: 1e9, read_gb_s: 1e-3 };
        let case = LinearCase {
            rows: 1,
            inputs: 64,
            outputs: 64,
            format: Format::Bf16,
            direction: Direction::Forward,
        };
        assert!(measure(case, Weights::Cold, &peaks).unwrap().share_of_peak > 1.0);
        assert!(measure(case, Weights::Resident, &peaks).unwrap().share_of_peak < 1e-3);
    }
}
