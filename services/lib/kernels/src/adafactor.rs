//! Adafactor (Shazeer and Stern, 2018) as transformers' Trainer runs it: of a matrix's second moments only the means of rows and
//! of columns are kept.

use candle_core::Shape;

use crate::{
    optimizer::{At, Read, Rule},
    team,
};

/// Rows, or numbers of a vector, that one task goes through; fixed, so that the threads don't decide the rounding.
const TASK: usize = 16 * 1024;
/// Columns of a matrix that one task sums.
const COLUMNS: usize = 512;

/// The constants of Adafactor, named and defaulted as in transformers, without first moment, `scale_parameter` and `relative_step`,
/// which its Trainer turns off. Weight decay is decoupled from the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdafactorOptions {
    /// Added to squared gradients.
    pub eps: f64,
    /// Root mean square beyond which an update is scaled down to it.
    pub clip_threshold: f64,
    /// The second moments of step `t` decay by `1 - t^decay_rate`.
    pub decay_rate: f64,
}

impl Default for AdafactorOptions {
    fn default() -> Self {
        Self { eps: 1e-30, clip_threshold: 1.0, decay_rate: -0.8 }
    }
}

impl Rule for AdafactorOptions {
    fn name(&self) -> &'static str {
        "adafactor"
    }

    fn keeps(&self, shape: &Shape) -> Vec<(&'static str, Shape)> {
        match shape.dims() {
            [rows, columns] => {
                vec![("exp_avg_sq_row", (*rows).into()), ("exp_avg_sq_col", (*columns).into())]
            }
            _ => vec![("exp_avg_sq", shape.clone())],
        }
    }

    fn update(&self, parameter: &mut [f32], gradient: &Read<'_>, kept: &mut [Vec<f32>], at: At<'_>) {
        let decay = 1.0 - (at.step as f64).powf(self.decay_rate);
        let squares = Squares { decay, eps: self.eps };
        let factors = match (at.shape.dims(), kept) {
            ([_, width], [rows, columns]) => {
                squares.of_rows(gradient, *width, rows);
                squares.of_columns(gradient, rows.len(), columns);
                Factors::of_matrix(rows, columns)
            }
            (_, [moments]) => {
                squares.of_numbers(gradient, moments);
                Factors {
                    rows: vec![1.0],
                    columns: moments.iter().map(|moment| 1.0 / moment.sqrt()).collect(),
                }
            }
            _ => return,
        };
        let clip = (factors.root_mean_square(gradient, parameter.len()) / self.clip_threshold).max(1.0);
        let keep = (1.0 - at.rates.lr * at.rates.weight_decay) as f32;
        factors.apply(parameter, gradient, (keep, (at.rates.lr / clip) as f32));
    }
}

/// How squared gradients enter the running means.
#[derive(Clone, Copy)]
struct Squares {
    decay: f64,
    eps: f64,
}

impl Squares {
    fn square(self, gradient: f32) -> f64 {
        f64::from(gradient) * f64::from(gradient) + self.eps
    }

    fn follow(self, moment: &mut f32, mean: f64) {
        *moment = (f64::from(*moment) * self.decay + mean * (1.0 - self.decay)) as f32;
    }

    fn of_numbers(self, gradient: &Read<'_>, moments: &mut [f32]) {
        let gradient = gradient(0..moments.len());
        moments.iter_mut().zip(&*gradient).for_each(|(moment, g)| self.follow(moment, self.square(*g)));
    }

    fn of_rows(self, gradient: &Read<'_>, width: usize, rows: &mut [f32]) {
        let together = (TASK / width.max(1)).max(1);
        team::chunks_mut(rows, together, |task, moments| {
            let first = task * together * width;
            let gradient = gradient(first..first + moments.len() * width);
            for (moment, row) in moments.iter_mut().zip(gradient.chunks_exact(width)) {
                let sum: f64 = row.iter().map(|g| self.square(*g)).sum();
                self.follow(moment, sum / width as f64);
            }
        });
    }

    fn of_columns(self, gradient: &Read<'_>, rows: usize, columns: &mut [f32]) {
        let width = columns.len();
        team::chunks_mut(columns, COLUMNS, |task, moments| {
            let mut sums = vec![0.0; moments.len()];
            for row in 0..rows {
                let first = row * width + task * COLUMNS;
                let row = gradient(first..first + sums.len());
                sums.iter_mut().zip(&*row).for_each(|(sum, g)| *sum += self.square(*g));
            }
            moments.iter_mut().zip(sums).for_each(|(moment, sum)| self.follow(moment, sum / rows as f64));
        });
    }
}

/// What a gradient is multiplied by, number by number, to give the update: a factor of its row times one of its column.
struct Factors {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Factors {
    fn of_matrix(rows: &[f32], columns: &[f32]) -> Self {
        let mean = rows.iter().map(|row| f64::from(*row)).sum::<f64>() / rows.len().max(1) as f64;
        let root = |number: f64| (1.0 / number.sqrt()) as f32;
        Self {
            rows: rows.iter().map(|row| root(f64::from(*row) / mean)).collect(),
            columns: columns.iter().map(|column| root(f64::from(*column))).collect(),
        }
    }

    /// Of the update; squares are summed row by row.
    fn root_mean_square(&self, gradient: &Read<'_>, len: usize) -> f64 {
        let width = self.columns.len();
        let row = |row: usize| {
            let gradient = gradient(row * width..(row + 1) * width);
            let numbers = gradient.iter().zip(&self.columns);
            numbers.map(|(g, column)| f64::from(self.rows[row] * column * g).powi(2)).sum::<f64>()
        };
        let sum: f64 = team::map(self.rows.len(), row).iter().sum();
        (sum / len.max(1) as f64).sqrt()
    }

    fn apply(&self, parameter: &mut [f32], gradient: &Read<'_>, (keep, lr): (f32, f32)) {
        let width = self.columns.len();
        let together = (TASK / width.max(1)).max(1);
        team::chunks_mut(parameter, (together * width).max(1), |task, piece| {
            for (row, numbers) in (task * together..).zip(piece.chunks_mut(width)) {
                let (gradient, factor) = (gradient(row * width..row * width + numbers.len()), self.rows[row]);
                for ((p, g), column) in numbers.iter_mut().zip(&*gradient).zip(&self.columns) {
                    *p = *p * keep - lr * (factor * column * g);
                }
            }
        });
    }
}
