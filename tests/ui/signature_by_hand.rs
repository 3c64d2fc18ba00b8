use lockgate::{Ack, CheckedSignature, Digest, Machine};

fn wave_through(machine: &mut Machine<'_>) {
    machine.ack(Ack::Signature(CheckedSignature { digest: Digest([0; 32]), number: 0, valid: true })).unwrap();
}

fn main() {}
