//! A filter that finds a call's number by halving. The kernel runs a new filter once for every number that there is, to
//! remember which calls it lets pass, so a filter that asks for each number in turn costs a start half a millisecond.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

/// Calls that are next to each other and are treated alike.
struct Leaf {
    first: u32,
    last: u32,
    code: BpfProgram,
}

fn step(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

fn allow() -> sock_filter {
    step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW)
}

/// One filter of rules that are met with `action`; everything else is allowed.
pub(super) fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    action: &SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, BackendError> {
    let one = |rules: BTreeMap<i64, Vec<SeccompRule>>| {
        SeccompFilter::new(rules, SeccompAction::Allow, action.clone(), arch).and_then(BpfProgram::try_from)
    };
    // The check of the architecture, without the end.
    let mut program = one(BTreeMap::new())?;
    program.pop();
    program.push(step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, super::NUMBER));
    let never = step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::from(action.clone()));
    let mut leaves: Vec<Leaf> = Vec::new();
    for (number, rules) in rules {
        let at = u32::try_from(number).map_err(|_| BackendError::InvalidTargetArch(number.to_string()))?;
        let always = rules.is_empty();
        match leaves.last_mut() {
            Some(leaf) if always && leaf.code.len() == 1 && leaf.last + 1 == at => leaf.last = at,
            _ => {
                let code = if always { vec![never.clone()] } else { one([(number, rules)].into())? };
                leaves.push(Leaf { first: at, last: at, code });
            }
        }
    }
    program.extend(halves(&leaves));
    Ok(program)
}

/// The number is loaded. Jumps on a condition reach 255 steps, so the long ones are unconditional.
fn halves(leaves: &[Leaf]) -> BpfProgram {
    match leaves {
        [] => vec![allow()],
        [leaf] => {
            let mut code = vec![
                step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, leaf.first),
                step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 0, 1, leaf.last),
                allow(),
            ];
            code.extend(leaf.code.iter().cloned());
            code
        }
        _ => {
            let (low, high) = leaves.split_at(leaves.len() / 2);
            let below = halves(low);
            let mut code = vec![
                step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, high[0].first),
                step(libc::BPF_JMP | libc::BPF_JA, 0, 0, below.len() as u32),
            ];
            code.extend(below);
            code.extend(halves(high));
            code
        }
    }
}

#[cfg(test)]
mod tests;
