#![deny(unused_must_use)]

fn ignore(receipt: lockgate::Verified) -> lockgate::Verified {
    receipt
}

fn main() {
    let receipt: fn() -> lockgate::Verified = || loop {};
    ignore(receipt());
}
