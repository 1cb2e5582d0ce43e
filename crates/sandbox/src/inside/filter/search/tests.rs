use super::*;

/// What a filter says about a call: `struct seccomp_data` as 16 words.
fn run(program: &[sock_filter], data: &[u32; 16]) -> (u32, usize) {
    let (mut at, mut a, mut steps) = (0, 0_u32, 0);
    loop {
        let now = &program[at];
        let code = u32::from(now.code);
        at += 1;
        steps += 1;
        let mut jump = |yes: bool| at += usize::from(if yes { now.jt } else { now.jf });
        match (code & 0x07, code & 0xf0) {
            (libc::BPF_LD, _) => a = data[now.k as usize / 4],
            (libc::BPF_ALU, libc::BPF_AND) => a &= now.k,
            (libc::BPF_RET, _) => return (now.k, steps),
            (libc::BPF_JMP, libc::BPF_JA) => at += now.k as usize,
            (libc::BPF_JMP, libc::BPF_JEQ) => jump(a == now.k),
            (libc::BPF_JMP, libc::BPF_JGT) => jump(a > now.k),
            (libc::BPF_JMP, libc::BPF_JGE) => jump(a >= now.k),
            other => panic!("{other:?}"),
        }
    }
}

const ARGUMENTS: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    9,
    10,
    15,
    16,
    17,
    58,
    0x5412,
    0x2000,
    0x6000,
    0x1_0000_0000,
    0x1000_0000,
    0x0002_0000,
    0x0004_0000,
    0x4000_0000,
    0x0200_0000,
    u32::MAX as u64,
    u64::MAX,
];

#[test]
fn c7_the_search_says_what_the_plain_list_says_in_a_few_steps() {
    let arch: TargetArch = std::env::consts::ARCH.try_into().unwrap();
    let action = SeccompAction::Errno(libc::EPERM as u32);
    let rules = super::super::rules().unwrap();
    let plain: BpfProgram = SeccompFilter::new(rules.clone(), SeccompAction::Allow, action.clone(), arch)
        .and_then(BpfProgram::try_from)
        .unwrap();
    let denied: Vec<u32> = rules.keys().map(|number| u32::try_from(*number).unwrap()).collect();
    let search = filter(rules, &action, arch).unwrap();
    let native = plain[1].k;
    let (mut most, mut errors) = (0, 0);
    for arch in [native, native ^ 1] {
        for number in (0..600).chain([0x4000_0000, 0x4000_0029, u32::MAX]) {
            let arguments = if denied.contains(&number) { ARGUMENTS } else { &[0] };
            for first in arguments {
                for second in arguments {
                    for third in [0, 1, 2, 10, 58, 0x2000, 0x6000] {
                        let word = |value: u64| [value as u32, (value >> 32) as u32];
                        let mut data = [0; 16];
                        data[..2].copy_from_slice(&[number, arch]);
                        for (slot, value) in [*first, *second, third].into_iter().enumerate() {
                            data[4 + 2 * slot..6 + 2 * slot].copy_from_slice(&word(value));
                        }
                        let (said, steps) = run(&search, &data);
                        assert_eq!(said, run(&plain, &data).0, "{number} {first:#x} {second:#x} {third:#x}");
                        errors += usize::from(said == u32::from(action.clone()));
                        if !denied.contains(&number) {
                            most = most.max(steps);
                        }
                    }
                }
            }
        }
    }
    assert!(errors > denied.len());
    assert!(most <= 24, "{most} steps for a call that passes");
}
