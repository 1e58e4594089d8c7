//! Any text as a masking policy: it is read or refused, and what was read means the same when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(policy) = masking::parse(text) else { return };
    let schema: masking::Schema =
        serde_saphyr::from_str(include_str!("../../masking/tests/common/shop.yaml"))
            .expect("the shop's schema");
    let decided = masking::decide(&policy, &schema);
    if let Err(problems) = &decided {
        assert!(!masking::render::plain(problems).is_empty(), "refused without a reason");
    }
    let written = policy.to_yaml().expect("what was read can be written");
    let again = masking::parse(&written).unwrap_or_else(|e| panic!("{e}\n{written}"));
    assert_eq!(again, policy, "{written}");
});
