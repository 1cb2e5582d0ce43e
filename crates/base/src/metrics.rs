//! Counters, gauges and histograms in the Prometheus text form, with a cap on series so that names made up by strangers
//! cannot fill the memory: past the cap everything goes into one series labelled `other`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Series of one metric before the overflow series takes the rest.
const SERIES_MAX: usize = 2000;

/// Upper bounds in seconds.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug, Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Microseconds.
    #[allow(clippy::cast_precision_loss, reason = "a bucket bound needs no 53 bits")]
    pub fn observe_us(&self, us: u64) {
        let seconds = us as f64 / 1e6;
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: &'static str,
    series: BTreeMap<String, Cell>,
}

/// The registry. Handles are looked up once and kept by their users; the lock is not on a request's way.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Metrics {
    pub fn new() -> Self {
        Self::default()
    }

    fn cell(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        fresh: (&'static str, fn() -> Cell),
    ) -> Cell {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family =
            families.entry(name).or_insert_with(|| Family { help, kind: fresh.0, series: BTreeMap::new() });
        let mut key = render(labels);
        if !family.series.contains_key(&key) && family.series.len() >= SERIES_MAX {
            key = render(&labels.iter().map(|(name, _)| (*name, "other")).collect::<Vec<_>>());
        }
        family.series.entry(key).or_insert_with(fresh.1).clone()
    }

    /// `labels` are name and value; values past the cap of series are counted under `other`.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        match self.cell(name, help, labels, ("counter", || Cell::Counter(Counter::default()))) {
            Cell::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        match self.cell(name, help, labels, ("gauge", || Cell::Gauge(Gauge::default()))) {
            Cell::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Histogram {
        match self.cell(name, help, labels, ("histogram", || Cell::Histogram(Histogram::default()))) {
            Cell::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// The Prometheus text exposition format 0.0.4.
    pub fn text(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind);
            for (labels, cell) in &family.series {
                write_cell(&mut out, name, labels, cell);
            }
        }
        out
    }
}

#[allow(clippy::cast_precision_loss, reason = "a sum for people to read")]
fn write_cell(out: &mut String, name: &str, labels: &str, cell: &Cell) {
    let braced = |extra: &str| match (labels.is_empty(), extra.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("{{{labels}}}"),
        (true, false) => format!("{{{extra}}}"),
        (false, false) => format!("{{{labels},{extra}}}"),
    };
    let _ = match cell {
        Cell::Counter(counter) => writeln!(out, "{name}{} {}", braced(""), counter.get()),
        Cell::Gauge(gauge) => writeln!(out, "{name}{} {}", braced(""), gauge.get()),
        Cell::Histogram(histogram) => {
            let mut total = 0;
            for (cell, bound) in
                histogram.0.buckets.iter().zip(BOUNDS.iter().map(f64::to_string).chain(["+Inf".into()]))
            {
                total += cell.load(Ordering::Relaxed);
                let _ = writeln!(out, "{name}_bucket{} {total}", braced(&format!("le=\"{bound}\"")));
            }
            let sum = histogram.0.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
            writeln!(out, "{name}_sum{} {sum}\n{name}_count{} {total}", braced(""), braced(""))
        }
    };
}

fn render(labels: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| {
        let value: String = value.chars().take(200).collect();
        format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    };
    labels.iter().map(one).collect::<Vec<_>>().join(",")
}
