//! Promise (I9): nothing but verification makes a receipt or a checked signature; code that tries does not
//! compile.

#[test]
fn receipts_and_checked_signatures_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
