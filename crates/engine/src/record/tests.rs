use anyfn_types::{Billing, FunctionName, InvocationId};

use super::{InvocationRecord, Result, line};

#[test]
fn lines_are_what_serde_would_write() {
    let function = FunctionName::new("a_b-C.9").unwrap();
    for (number, result) in [
        (0, Result::Returned),
        (10, Result::Streaming),
        (u64::MAX, Result::FunctionFailed),
        (1_795_297_708_498, Result::Broken),
    ] {
        for init_us in [None, Some(number)] {
            let memory = u32::try_from(number).unwrap_or(u32::MAX);
            let billing = Billing {
                duration_us: number,
                billed_ms: number,
                init_us,
                memory_mib: memory,
                max_memory_mib: memory / 3,
                cold: init_us.is_some(),
            };
            let id = InvocationId(u128::from(number) << 40 | 0xA);
            let record = InvocationRecord {
                id,
                function: function.clone(),
                version: number,
                accepted: number,
                result,
                billing,
            };
            assert_eq!(String::from_utf8(line(&record)).unwrap(), serde_json::to_string(&record).unwrap());
        }
    }
}
