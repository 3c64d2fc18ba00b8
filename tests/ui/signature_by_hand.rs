use lockgate::{Ack, CheckedSignature, Digest, KeyId, Machine};

fn wave_through(machine: &mut Machine<'_>) {
    let proof = CheckedSignature { key: KeyId([0; 8]), digest: Digest([0; 32]), signature: [0; 64], points: true, verdict: todo!() };
    machine.ack(Ack::Signature(&proof)).unwrap();
}

fn main() {}
