//! Arithmetic of samples: quantiles, what stands between two series, ratios.

use serde::Serialize;

/// One series of samples in a line's unit, boiled down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) p10: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl Summary {
    /// None for no samples, and for samples that are no numbers.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let at = |share| quantile(&values, share);
        Some(Self {
            count: values.len() as u64,
            min: at(0.0),
            p10: at(0.1),
            median: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
            mean: values.iter().sum::<f64>() / values.len() as f64,
        })
    }

    /// A figure that is read once, such as a sum over all samples.
    pub(crate) fn single(value: f64) -> Option<Self> {
        Self::of(vec![value])
    }

    /// Of a histogram in nanoseconds, in units of `unit` nanoseconds. None if it is empty.
    pub(crate) fn of_histogram(histogram: &hdrhistogram::Histogram<u64>, unit: f64) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let at = |share| histogram.value_at_quantile(share) as f64 / unit;
        Some(Self {
            count: histogram.len(),
            min: histogram.min() as f64 / unit,
            p10: at(0.1),
            median: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / unit,
            mean: histogram.mean() / unit,
        })
    }
}

/// Between the two nearest ranks, as spreadsheets and NumPy do it. `sorted` is not empty; `share` in 0.0..=1.0.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let below = place.floor() as usize;
    let (Some(low), high) = (sorted.get(below), sorted.get(below + 1)) else { return f64::NAN };
    high.map_or(*low, |high| low + (high - low) * (place - place.floor()))
}

/// Sample by sample, `left - right`: what was measured in one turn met the same machine.
pub(crate) fn differences(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left - right).collect()
}

/// How many times `other` goes into `ours`; None where that says nothing.
pub(crate) fn ratio(ours: f64, other: f64) -> Option<f64> {
    let ratio = ours / other;
    (ratio.is_finite() && ours > 0.0 && other > 0.0).then_some(ratio)
}

#[cfg(test)]
mod tests;
