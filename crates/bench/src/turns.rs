//! A B A B …: whoever is compared is measured in turns, so that the machine's drift meets all alike.

use crate::row::Side;

type Work<'a> = Box<dyn FnMut() -> anyhow::Result<f64> + 'a>;

/// One of those that are compared; or why it cannot be.
pub(crate) struct Contender<'a> {
    name: String,
    work: Result<Work<'a>, String>,
    values: Vec<f64>,
}

impl<'a> Contender<'a> {
    /// `work` gives one sample.
    pub(crate) fn new(name: impl Into<String>, work: impl FnMut() -> anyhow::Result<f64> + 'a) -> Self {
        Self { name: name.into(), work: Ok(Box::new(work)), values: Vec::new() }
    }

    /// One that was set up by something that may fail.
    pub(crate) fn set_up<W>(name: impl Into<String>, work: anyhow::Result<W>) -> Self
    where
        W: FnMut() -> anyhow::Result<f64> + 'a,
    {
        match work {
            Ok(work) => Self::new(name, work),
            Err(why) => Self { name: name.into(), work: Err(format!("{why:#}")), values: Vec::new() },
        }
    }
}

/// `runs` samples of each after `warm` that do not count. Who fails once is out, and its line says why.
pub(crate) fn take(runs: usize, warm: usize, mut contenders: Vec<Contender<'_>>) -> Vec<(Side, Vec<f64>)> {
    for turn in 0..runs + warm {
        for contender in &mut contenders {
            let Ok(work) = &mut contender.work else { continue };
            match work() {
                Ok(value) if turn >= warm => contender.values.push(value),
                Ok(_) => {}
                Err(why) => contender.work = Err(format!("{why:#}")),
            }
        }
    }
    let side = |contender: Contender<'_>| match contender.work {
        Ok(_) => (Side::measured(contender.name, contender.values.clone()), contender.values),
        Err(why) => (Side::not_run(contender.name, why), Vec::new()),
    };
    contenders.into_iter().map(side).collect()
}

pub(crate) fn sides(runs: usize, warm: usize, contenders: Vec<Contender<'_>>) -> Vec<Side> {
    take(runs, warm, contenders).into_iter().map(|(side, _)| side).collect()
}

#[cfg(test)]
mod tests;
