//! An image like machine code, and the one before it: what decoders are measured with.
//!
//! Functions of 16-bit instructions, some of which are far more frequent than others, with calls between them. The newer
//! image has more in some functions, so that what lies behind moves, and with it the distance of many calls.

use super::inputs::Random;

#[derive(Clone, Copy)]
enum Part {
    Instruction(u16),
    /// Of the function with this number.
    Call(u32),
}

type Function = Vec<Part>;

/// The base image and the image.
pub fn versions(size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::new();
    let frequent: Vec<u16> = (0..96).map(|_| random.next() as u16).collect();
    let count = size as u32 / 64;
    let mut functions: Vec<Function> = (0..count).map(|_| function(&mut random, &frequent, count)).collect();
    let base = link(&functions, size);
    for function in functions.iter_mut().step_by(32) {
        let at = function.len() / 2;
        let more = self::function(&mut random, &frequent, count);
        function.splice(at..at, more.into_iter().skip(1).take(6));
    }
    (base, link(&functions, size))
}

fn function(random: &mut Random, frequent: &[u16], count: u32) -> Function {
    let mut parts = vec![Part::Instruction(0xB570)];
    for _ in 0..12 + random.next() % 40 {
        // Some lines are much like the ones before.
        if parts.len() > 8 && random.next() >> 29 == 0 {
            let from = parts.len() - 8;
            parts.extend_from_within(from..from + 4);
        }
        let mut below = |limit: u32| (random.next() >> 8) % limit;
        // The least of three: low ones are frequent.
        let usual = frequent[below(96).min(below(96)).min(below(96)) as usize];
        parts.push(match below(16) {
            0 => Part::Call(below(count)),
            // A known operation with a value of its own.
            1 | 2 => Part::Instruction(usual & 0xFF00 | below(256) as u16),
            _ => Part::Instruction(usual),
        });
    }
    parts.push(Part::Instruction(0xBD70));
    parts
}

/// Puts them one behind the other. A call has the distance in two instructions, as in Thumb.
fn link(functions: &[Function], size: usize) -> Vec<u8> {
    let length = |part: &Part| if matches!(part, Part::Call(_)) { 4 } else { 2 };
    let mut starts = Vec::new();
    let mut at: u32 = 0;
    for function in functions {
        starts.push(at);
        at += function.iter().map(length).sum::<u32>();
    }
    let mut image: Vec<u8> = Vec::new();
    for part in functions.iter().flatten() {
        match *part {
            Part::Instruction(code) => image.extend(code.to_le_bytes()),
            Part::Call(to) => {
                let distance = starts[to as usize].wrapping_sub(image.len() as u32 + 4);
                image.extend((0xF000 | (distance >> 12 & 0x7FF) as u16).to_le_bytes());
                image.extend((0xF800 | (distance >> 1 & 0x7FF) as u16).to_le_bytes());
            }
        }
    }
    assert!(image.len() >= size, "enough functions");
    image.truncate(size);
    image
}
