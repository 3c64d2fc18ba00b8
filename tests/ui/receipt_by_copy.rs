use lockgate::Verified;

fn use_twice(receipt: Verified) -> (Verified, Verified) {
    (receipt.clone(), receipt)
}

fn by_default() -> Verified {
    Default::default()
}

fn main() {}
