//! Keys and whoever signs: files nobody else can read, keys of openssl, commands that hold a key.

mod desk;

use desk::{Desk, Parts};

mod printed {
    //! What `keygen --print` prints compiles.
    use lockgate::{KeySet, PublicKey};
    include!("keys/keys.rs");

    #[test]
    fn is_the_key_set_of_the_files() {
        let desk = super::Desk::new();
        let args = ["keygen", "--print", "a.pub.pem", "b.pem", "--threshold", "2"];
        assert_eq!(desk.run(&args).good(), include_str!("keys/keys.rs"));
        assert_eq!((KEYS.threshold(), KEYS.keys().len()), (2, 2));
    }
}

#[test]
fn a_new_key_signs_and_verifies() {
    let desk = Desk::new();
    for dev in [&[][..], &["--dev"]] {
        let name = format!("new{}.pem", dev.len());
        let said = desk.run(&[&["keygen", "-o", &name], dev].concat()).good();
        assert_eq!(said.contains("BENCH KEY, not for production"), !dev.is_empty(), "{said}");
        desk.pack(&["--key", &name]).good();
        desk.run(&["verify", "fw.lgu", "--key", &name.replace(".pem", ".pub.pem")]).good();
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_private_key() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.run(&["keygen", "-o", "new.pem"]).good();
    let mode = |name: &str| desk.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("new.pem"), 0o600);
    assert_ne!(mode("new.pub.pem"), 0o600);
    // A package is for everybody whom the umask lets.
    desk.package();
    assert_ne!(mode("fw.lgu") & 0o044, 0);
}

#[test]
fn both_files_or_neither() {
    let desk = Desk::new();
    desk.write("new.pub.pem", b"mine");
    let before = desk.files();
    let reason = desk.run(&["keygen", "-o", "new.pem"]).bad(3);
    assert_eq!(reason, "error: new.pub.pem: exists already: choose another name\n");
    assert_eq!(desk.files(), before, "no private key is left behind");
    assert_eq!(desk.read("new.pub.pem"), b"mine");
    desk.run(&["keygen", "-o", "nowhere/new.pem"]).bad(3);
    assert_eq!(desk.files(), before);
}

#[test]
fn a_refused_image_leaves_the_old_package() {
    let desk = Desk::new();
    let package = desk.package();
    let before = desk.files();
    desk.write("image.bin", b"");
    assert!(desk.pack(&["--key", "a.pem"]).bad(1).contains("image of 0 bytes: 1 to 2147483647 can be packed"));
    desk.write("image.bin", b":00000001FF\n");
    assert!(desk.pack(&["--key", "a.pem"]).bad(1).contains("objcopy -I ihex -O binary"));
    desk.write("image.bin", b"UF2\n\x57\x51\x5d\x9e");
    assert!(desk.pack(&["--key", "a.pem"]).bad(1).contains("a UF2 file, not a raw binary"));
    desk.write("image.bin", &package);
    assert!(desk.pack(&["--key", "a.pem"]).bad(1).contains("it is packed already"));
    assert_eq!(desk.read("fw.lgu"), package);
    assert_eq!(desk.files(), before);
}

#[cfg(unix)]
mod by_command {
    use super::*;

    /// The signature that key `a` gives, as a command would print it.
    fn signature(desk: &Desk) -> Vec<u8> {
        let package = desk.package();
        let head = Parts::of(&package).head;
        package[head - 64..head].to_vec()
    }

    /// r and s as DER (SEC 1, appendix C.5).
    fn der(signature: &[u8]) -> Vec<u8> {
        let integer = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            let sign = if bytes[zeros] >= 0x80 { &[0][..] } else { &[] };
            let value = [sign, &bytes[zeros..]].concat();
            [&[2, value.len() as u8], &value[..]].concat()
        };
        let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
        [&[0x30, both.len() as u8], &both[..]].concat()
    }

    fn sign_with(desk: &Desk, command: &str) -> desk::Said {
        desk.pack(&["--sign-with", command, "--sign-with-key", "a.pub.pem", "--sign-timeout", "1"])
    }

    #[test]
    fn raw_and_der_signatures_make_the_same_package() {
        let desk = Desk::new();
        let signature = signature(&desk);
        let package = desk.read("fw.lgu");
        desk.write("raw", &signature);
        desk.write("der", &der(&signature));
        for command in ["cat > digest; cat raw", "cat der", "sh -c 'cat raw'"] {
            std::fs::remove_file(desk.path("fw.lgu")).unwrap();
            sign_with(&desk, command).good();
            assert_eq!(desk.read("fw.lgu"), package, "{command}");
        }
        assert_eq!(desk.read("digest").len(), 32);
    }

    #[test]
    fn commands_and_keys_are_paired_in_order() {
        let desk = Desk::new();
        desk.pack(&["--key", "b.pem"]).good();
        let package = desk.read("fw.lgu");
        let head = Parts::of(&package).head;
        desk.write("b.sig", &package[head - 64..head]);
        desk.write("a.sig", &signature(&desk));
        let pair = |first: &'static str, second: &'static str| {
            let mut options = vec!["--sign-with", first, "--sign-with", second];
            options.extend(["--sign-with-key", "a.pub.pem", "--sign-with-key", "b.pub.pem"]);
            desk.pack(&options)
        };
        pair("cat a.sig", "cat b.sig").good();
        desk.run(&["verify", "fw.lgu", "--key", "a.pem", "--key", "b.pem", "--threshold", "2"]).good();
        let reason = pair("cat b.sig", "cat a.sig").bad(1);
        assert!(reason.contains("the signature made for key 9169746104fc73fb does not verify under it"), "{reason}");
        // A file key and a command together.
        desk.pack(&["--key", "b.pem", "--sign-with", "cat a.sig", "--sign-with-key", "a.pub.pem"]).good();
    }

    #[test]
    fn what_goes_wrong_is_said_and_nothing_is_written() {
        let desk = Desk::new();
        let before = desk.files();
        for (command, reason) in [
            ("false", "the --sign-with command: it ended with exit status: 1"),
            ("kill -9 $$", "it ended with signal: 9"),
            ("true", "printed 0 bytes that are no signature"),
            ("echo signature", "printed 10 bytes that are no signature"),
            ("cat /dev/zero", "it ended with"),
            ("exec sleep 3", "no signature within 1 s"),
            ("cat; exec 1>&-; exec sleep 3", "no signature within 1 s"),
        ] {
            let said = sign_with(&desk, command).bad(3);
            assert!(
                said.starts_with("error: key 9169746104fc73fb did not sign: the --sign-with command")
                    && said.contains(reason),
                "{said}"
            );
        }
        assert_eq!(desk.files(), before);
    }

    /// The real thing, where it is installed.
    #[test]
    fn openssl_signs() {
        let desk = Desk::new();
        let openssl = std::process::Command::new("openssl").arg("version").output();
        if !openssl.is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "openssl is missing: CI must have it");
            return;
        }
        let sign = "openssl pkeyutl -sign -inkey b.pem";
        desk.pack(&["--sign-with", sign, "--sign-with-key", "b.pub.pem"]).good();
        desk.run(&["verify", "fw.lgu", "--key", "b.pub.pem"]).good();
    }
}
