//! A boot stage that checks signatures: the way back stays open until the new image is confirmed, and closes then.

use lockgate::boot::NoImage;
use lockgate::pack::Signer;
use lockgate::{
    Block, BootReason, Control, Device, Digest, Keyring, PublicKey, Reason, Refusal, Sha2, Slot, Updater, Verify, P256,
};

use crate::common::{noise, put, trust, CLASS, VENDOR};
use crate::kit::{Field, People, SELECT, SWAP};
use crate::refused;

#[test]
fn an_image_of_the_old_keys_starts_until_one_of_the_new_keys_is_confirmed() {
    for layout in [&SELECT, &SWAP] {
        let mut field = Field::new(layout, true);
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        field.send(&[set], b"").unwrap_err();
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed, "the old image, by a key that is revoked");
        let update = field.people.update(1, 1);
        field.try_next(&[], &update);
        Control::new(&field.device, &mut field.flash).reject().unwrap();
        assert_eq!(field.boot().unwrap().reason, BootReason::Reverted(Reason::Rejected));
        assert_eq!(field.boot().unwrap().slot, Slot::A);
        let update = field.people.update(1, 2);
        field.try_next(&[], &update);
        field.confirm();
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
    }
}

/// Puts an image of these keys into the slot that is not confirmed, and spoils the confirmed one.
fn fall_back(field: &mut Field, by: usize, minor: u8) -> Result<lockgate::boot::Launch, NoImage> {
    let confirmed = Control::new(&field.device, &mut field.flash).status().unwrap().confirmed;
    let layout = field.device.layout();
    let package = field.people.update(by, minor);
    put(&mut field.flash, layout, confirmed.other(), &package, &noise(5000 + 700 * usize::from(minor), minor.into()));
    field.flash.rot(layout.slot_range(confirmed).start, 1);
    field.boot()
}

#[test]
fn revocation_reaches_the_retained_image_with_the_confirmation() {
    let build = || {
        let mut field = Field::new(&SELECT, true);
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        field.send(&[set], b"").unwrap_err();
        field
    };
    let mut field = build();
    assert_eq!(fall_back(&mut field, 0, 3).unwrap().reason, BootReason::Reverted(Reason::Fallback), "not before");
    let mut field = build();
    let update = field.people.update(1, 1);
    field.try_next(&[], &update);
    field.confirm();
    assert_eq!(fall_back(&mut field, 0, 3).unwrap_err(), NoImage::Invalid, "by a revoked key");
    let mut field = build();
    let update = field.people.update(1, 1);
    field.try_next(&[], &update);
    field.confirm();
    assert_eq!(fall_back(&mut field, 1, 3).unwrap().reason, BootReason::Reverted(Reason::Fallback), "by a trusted key");
}

#[test]
fn an_image_that_came_back_by_an_older_set_stays_startable_when_it_is_confirmed() {
    // The confirmed image rots after a set was taken: the other slot's, of the old keys, is exchanged in, tried and confirmed.
    let mut field = Field::new(&SWAP, true);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    let launch = fall_back(&mut field, 0, 3).unwrap();
    assert!(matches!(launch.reason, BootReason::Trial { .. }), "{launch:?}");
    field.confirm();
    for _ in 0..3 {
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
    }
    let update = field.people.update(1, 4);
    field.try_next(&[], &update);
    field.confirm();
    assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
}

#[test]
fn an_image_started_as_a_way_out_counts_under_the_set_it_was_accepted_by() {
    let mut field = Field::new(&SELECT, true);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    assert_eq!(fall_back(&mut field, 1, 3).unwrap().reason, BootReason::Reverted(Reason::Fallback));
    // Another set drops its key; nothing else was confirmed.
    let set = field.people.signed(&field.people.set(2, &[2], &[1]), &[1]);
    field.send(&[set], b"").unwrap_err();
    assert_eq!(field.boot().unwrap().slot, Slot::B);
}

/// Rooted in rotate keys 0 and 1, both of whom must sign.
fn rooted() -> Field {
    let people = People::new();
    let device = Device::new(&SELECT, VENDOR, CLASS, trust(1, &[&people.sign[0]]));
    let device = device.rotate_keys(trust(2, &[&people.rotate[0], &people.rotate[1]])).rooted();
    Field::of(people, device, true)
}

#[test]
fn a_rooted_device_takes_no_set_that_its_boot_stage_would_not_believe() {
    let mut field = rooted();
    let first = field.people.set(1, &[1], &[0, 1, 2]);
    let set = field.people.signed(&first, &[0, 1, 2]);
    field.send(&[set], b"").unwrap_err();
    let update = field.people.update(1, 1);
    field.try_next(&[], &update);
    field.confirm();
    field.boot().unwrap();
    // Set 2 needs two of three; whoever strips a root's signature on the way has it refused, not taken for good.
    let mut second = field.people.set(2, &[2], &[0, 1, 2]);
    second.rotate_threshold = 2;
    let third = field.people.set(3, &[2], &[2]);
    let set = field.people.signed(&second, &[0, 1, 2]);
    let update = field.people.update(2, 2);
    field.try_next(&[set], &update);
    field.confirm();
    field.boot().unwrap();
    let stripped = field.people.signed(&third, &[0, 2]);
    assert_eq!(refused(field.send(&[stripped], b"")), Refusal::TooFewSignatures { valid: 1, needed: 2 });
    let whole = field.people.signed(&third, &[0, 1, 2]);
    field.send(&[whole], b"").unwrap_err();
    assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
    let update = field.people.update(2, 4);
    field.try_next(&[], &update);
    field.confirm();
    assert_eq!(
        field.boot().unwrap().reason,
        BootReason::Confirmed,
        "the roots are in no set any more, and signed all the same"
    );
}

/// A rooted device in whose flash an attacker has written a set of his own, and an update by it that waits for its trial. (The same
/// device, but for its root, lets another set in: what it stores is what whoever has a clip writes.)
fn with_a_set_that_was_written() -> (Field, Device<'static>) {
    let mut field = rooted();
    let honest = field.device;
    let attackers = Device::new(&SELECT, VENDOR, CLASS, trust(1, &[&field.people.sign[0]]));
    field.device = attackers.rotate_keys(trust(1, &[&field.people.rotate[2]]));
    let set = field.people.signed(&field.people.set(1, &[2], &[2]), &[2]);
    let update = field.people.update(2, 1);
    let receipt = field.send(&[set], update.bytes()).unwrap();
    Control::new(&field.device, &mut field.flash).try_next(receipt).unwrap();
    (field, honest)
}

#[test]
fn a_rooted_boot_stage_believes_no_set_that_was_written_into_its_flash() {
    let (mut field, honest) = with_a_set_that_was_written();
    field.device = honest;
    assert_eq!(field.boot().unwrap().reason, BootReason::Reverted(Reason::Invalid));
}

#[test]
fn not_defended_a_set_that_was_written_into_the_flash_is_believed_without_root_or_signatures() {
    // A root is no help where only hashes are checked.
    for (rooted, signatures) in [(false, true), (false, false), (true, false)] {
        let (mut field, honest) = with_a_set_that_was_written();
        field.device = if rooted { honest } else { field.device };
        field.signatures = signatures;
        assert!(matches!(field.boot().unwrap().reason, BootReason::Trial { .. }), "rooted {rooted}, {signatures}");
    }
}

/// Arithmetic that is glitched wherever this key is asked for.
struct Glitched(PublicKey);

impl Verify for Glitched {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        *key == self.0 || P256.verify(key, digest, signature)
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        P256.is_point(key)
    }
}

#[test]
fn not_defended_one_check_glitched_over_a_key_set_unless_the_boot_stage_is_rooted() {
    for is_rooted in [false, true] {
        let people = People::new();
        let device = Device::new(&SELECT, VENDOR, CLASS, trust(1, &[&people.sign[0]]));
        let device = device.rotate_keys(trust(1, &[&people.rotate[0]]));
        let device = if is_rooted { device.rooted() } else { device };
        let mut field = Field::of(people, device, true);
        // The attacker's set, and under the trusted rotate key's id 64 bytes of his own.
        let mut set = field.people.signed(&field.people.set(1, &[3], &[3]), &[0, 3]);
        let trusted = field.people.rotate[0].public_key();
        let id = trusted.id::<Sha2>().0;
        let at = set.len() - 152 + set[set.len() - 152..].windows(8).position(|window| window == id).unwrap();
        set[at + 10..at + 74].fill(0x55);
        let update = field.people.update(3, 1);
        let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
        let updater = Updater::with_verifier(&field.device, &mut field.flash, &mut block, Glitched(trusted));
        let mut updater: Updater<'_, _, _> = updater.keyring(&mut ring);
        let receipt = updater.install(&[&set[..], update.bytes()].concat()[..], |_| ()).unwrap();
        Control::new(&field.device, &mut field.flash).try_next(receipt).unwrap();
        let reason = field.boot().unwrap().reason;
        match is_rooted {
            false => assert!(matches!(reason, BootReason::Trial { .. }), "{reason:?}"),
            true => assert_eq!(reason, BootReason::Reverted(Reason::Invalid)),
        }
    }
}

#[test]
fn without_a_log_an_image_that_is_exchanged_in_by_an_older_set_stays_startable_when_it_is_confirmed() {
    let mut field = Field::new(&SWAP, true);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    let records = SWAP.records_range();
    field.flash.load(records.start, &vec![0xFF; records.len()]);
    let package = field.people.update(0, 3);
    put(&mut field.flash, &SWAP, Slot::B, &package, &noise(5000 + 2100, 3));
    field.flash.rot(SWAP.slot_range(Slot::A).start, 1);
    assert!(matches!(field.boot().unwrap().reason, BootReason::Trial { .. }));
    field.confirm();
    for _ in 0..2 {
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
    }
    assert_eq!((field.believes(0), field.believes(1)), (false, true));
}
