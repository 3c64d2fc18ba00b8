//! `lockgate send`: what it says and how it ends, with the library's own receiver as the device.

mod bench;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bench::{ends, Bench, CLASS, VENDOR};
use embedded_io::{Seek, SeekFrom};
use lockgate::geometry::ESP8266_4M;
use lockgate::pack::{read_public_key, Signer, SigningKey};
use lockgate::serial::{Frame, Outcome, Port, Receiver};
use lockgate::sim::Flash;
use lockgate::{Block, Device, KeySet, Layout, PublicKey, Updater, Uuid};

const LAYOUT: Layout = Layout::new(&ESP8266_4M)
    .boot(0..0x8000)
    .records(0x8000..0xA000)
    .slots(0x10_0000..0x18_0000, 0x20_0000..0x28_0000)
    .check();

/// The device's UART: a socket.
struct Uart(TcpStream);

impl Port for Uart {
    type Error = std::io::Error;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        self.0.set_read_timeout(Some(Duration::from_millis(u64::from(timeout_ms.max(1)))))?;
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(Some(byte[0])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write_all(bytes)
    }
}

/// A device that listens on a port: its address, and the thread that `does` what it does.
fn device<T: Send + 'static>(does: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    (address, thread::spawn(move || does(listener.accept().unwrap().0)))
}

/// Installs what comes, and says how that went.
fn installs(key: PublicKey, stream: TcpStream) -> Result<Vec<u8>, String> {
    let keys = [key];
    let device = Device::new(&LAYOUT, Uuid::new(VENDOR), Uuid::new(CLASS), KeySet::checked(1, &keys).unwrap());
    let mut flash: Flash = Flash::new(&ESP8266_4M);
    let mut block = Block::<1024>::new();
    let mut receiver = Receiver::<_, 512>::new(Uart(stream));
    receiver.port().send(b"ready\r\n").unwrap();
    let outcome = Updater::new(&device, &mut flash, &mut block).install_seekable(&mut receiver, |_| ());
    match outcome {
        Ok(verified) => {
            receiver.finish(Outcome::Verified, format_args!("version {}", verified.version())).unwrap();
            let start = LAYOUT.slot_range(verified.slot()).start as usize;
            Ok(flash.bytes()[start..][..verified.image_size() as usize].to_vec())
        }
        Err(error) => {
            _ = receiver.finish(Outcome::from(&error), &error);
            Err(error.to_string())
        }
    }
}

/// The key that the bench signs with.
fn vendor(bench: &Bench) -> PublicKey {
    read_public_key(&std::fs::read_to_string(bench.path("key.pem")).unwrap()).unwrap()
}

/// The tool ends when the device does not: nothing of it may hang a test.
fn send(bench: &Bench, port: &str, more: &[&str]) -> std::process::Command {
    let mut command = bench.lockgate(&["send", "fw.lgu", "--port", port]);
    command.args(more);
    if !more.contains(&"--timeout") {
        command.args(["--timeout", "10"]);
    }
    command
}

#[test]
fn a_package_gets_to_a_device_that_asks_for_it() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 20_000));
    let key = vendor(&bench);
    let (port, device) = device(move |stream| installs(key, stream));
    ends(send(&bench, &port, &[]), 0, &["device     ready", "in 41 frames, 0 again", "verified   version 1.4.0"]);
    assert_eq!(device.join().unwrap().unwrap(), bench::image((1, 4), 20_000));
}

#[test]
fn json_is_one_object_and_the_devices_text_is_not_in_it() {
    let bench = Bench::new();
    let package = bench.package((1, 4), 3, 3000);
    bench.file("fw.lgu", &package);
    let key = vendor(&bench);
    let (port, device) = device(move |stream| installs(key, stream));
    let output = ends(send(&bench, &port, &["--json"]), 0, &[]);
    device.join().unwrap().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["outcome"], &value["text"]), (&"verified".into(), &"version 1.4.0".into()));
    assert_eq!(value["package_size"], package.len());
    assert_eq!((&value["bytes"], &value["repeated"]), (&package.len().into(), &0.into()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ready\n");
}

#[test]
fn a_refusal_is_the_devices_own_word_and_exit_code_1() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let key = SigningKey::generate().public_key();
    let (port, device) = device(move |stream| installs(key, stream));
    let says = "refused: fw.lgu: the device refuses it: valid signatures by trusted keys: 0, needed: 1";
    ends(send(&bench, &port, &[]), 1, &[says]);
    device.join().unwrap().unwrap_err();
}

#[test]
fn a_failure_of_the_device_is_exit_code_3() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|stream| {
        Receiver::<_, 64>::new(Uart(stream)).finish(Outcome::Failed, "flash at 0x8000").unwrap();
    });
    ends(send(&bench, &port, &["--json"]), 3, &["could not complete the update: flash at 0x8000", "\"failed\""]);
    device.join().unwrap();
}

#[test]
fn nothing_heard_says_what_to_check() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|mut stream| stream.read_to_end(&mut Vec::new()).unwrap());
    ends(
        send(&bench, &port, &["--timeout", "1"]),
        3,
        &["nothing heard in 1 second: is the device on and in its update mode"],
    );
    assert_eq!(device.join().unwrap(), 0, "and nothing was sent unasked");
}

#[test]
fn a_device_that_talks_and_asks_for_nothing_is_told_from_a_silent_one() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|mut stream| {
        stream.write_all(b"\x1B[32mhello\x1B[0m\r\nlogin: ").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap()
    });
    let says = ["device     hello", "device     login:", "no question for a package"];
    ends(send(&bench, &port, &["--timeout", "1"]), 3, &says);
    device.join().unwrap();
}

#[test]
fn a_device_that_does_not_hear_the_answers_is_told_so() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|mut stream| {
        let want: Vec<u8> = Frame::Want { offset: 0, length: 64 }.wire().collect();
        while stream.write_all(&want).is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    });
    ends(send(&bench, &port, &["--timeout", "1"]), 3, &["times for byte 0, and does not hear the answers"]);
    device.join().unwrap();
}

#[test]
fn a_later_protocol_is_told_from_noise() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|mut stream| {
        // Type 4 and its check, by docs/serial.md.
        stream.write_all(&later(4)).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap()
    });
    ends(send(&bench, &port, &["--timeout", "1"]), 3, &["frames of type 4, of a later version"]);
    device.join().unwrap();
}

fn later(kind: u8) -> Vec<u8> {
    let check = (0..8).fold(!0 ^ u32::from(kind), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 });
    let check = (!check).to_le_bytes();
    assert!(!check.contains(&0));
    [&[0, 6, kind][..], &check, &[0]].concat()
}

#[test]
fn a_connection_that_is_lost_ends_it_at_once() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let (port, device) = device(|mut stream| {
        stream.write_all(&Frame::Want { offset: 0, length: 64 }.wire().collect::<Vec<_>>()).unwrap();
        stream.read_exact(&mut [0; 70]).unwrap();
    });
    ends(send(&bench, &port, &["--timeout", "60"]), 3, &["the connection is lost", "64 bytes in 1 frame"]);
    device.join().unwrap();
}

#[test]
fn a_host_that_is_late_answers_the_last_question_only() {
    let bench = Bench::new();
    let package = bench.package((1, 4), 3, 3000);
    bench.file("fw.lgu", &package);
    let (port, device) = device(|mut stream| {
        let wants = [(0, 64), (0, 64), (100, 10)].map(|(offset, length)| Frame::Want { offset, length }.wire());
        stream.write_all(&wants.into_iter().flatten().collect::<Vec<_>>()).unwrap();
        thread::sleep(Duration::from_millis(300));
        Receiver::<_, 64>::new(Uart(stream.try_clone().unwrap())).finish(Outcome::Verified, "").unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        got
    });
    ends(send(&bench, &port, &[]), 0, &["10 bytes in 1 frame"]);
    let answer = Frame::Data { offset: 100, size: package.len() as u32, bytes: &package[100..110] };
    assert_eq!(device.join().unwrap(), answer.wire().collect::<Vec<_>>());
}

#[test]
fn a_device_that_goes_on_and_one_that_goes_back_are_told() {
    let bench = Bench::new();
    let package = bench.package((1, 4), 3, 3000);
    bench.file("fw.lgu", &package);
    let (port, device) = device(|stream| {
        let mut receiver = Receiver::<_, 64>::new(Uart(stream));
        for at in [0, 2000, 64] {
            receiver.seek(SeekFrom::Start(at)).unwrap();
            embedded_io::Read::read(&mut receiver, &mut [0; 64]).unwrap();
        }
        receiver.finish(Outcome::Failed, "").unwrap();
    });
    let says = ["resumed    from byte 2 000 on", "back       the device asks for byte 64 again"];
    ends(send(&bench, &port, &[]), 3, &says);
    device.join().unwrap();
}

#[test]
fn what_is_no_package_is_refused_before_the_port_is_opened() {
    let bench = Bench::new();
    let package = bench.package((1, 4), 3, 3000);
    for (bytes, says) in [
        (&b"not a package at all, but long enough"[..], "not a lockgate package"),
        (&package[..package.len() - 1], "the package ends too early"),
        (&[&package[..], b"x"].concat(), "bytes follow the last block"),
    ] {
        bench.file("fw.lgu", bytes);
        ends(send(&bench, "/no/such/port", &[]), 1, &[says]);
    }
    bench.file("fw.lgu", &package);
    ends(send(&bench, "/no/such/port", &[]), 3, &["/no/such/port: cannot be opened"]);
    ends(send(&bench, "tcp:127.0.0.1:1", &[]), 3, &["tcp:127.0.0.1:1: cannot be reached"]);
    ends(bench.lockgate(&["send", "none.lgu", "--port", "x"]), 3, &["none.lgu: cannot be read"]);
    ends(bench.lockgate(&["send", "fw.lgu"]), 2, &["--port <PORT>"]);
}

#[cfg(unix)]
#[test]
fn a_socket_of_the_system_is_a_line_too() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 3, 3000));
    let listener = std::os::unix::net::UnixListener::bind(bench.path("uart")).unwrap();
    let device = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let done = Frame::Done { outcome: Outcome::Verified, text: b"by socket" };
        stream.write_all(&done.wire().collect::<Vec<_>>()).unwrap();
    });
    ends(send(&bench, "unix:uart", &[]), 0, &["verified   by socket"]);
    device.join().unwrap();
}

/// The other end of a serial device.
#[cfg(unix)]
struct Tty(serialport::TTYPort);

#[cfg(unix)]
impl Port for Tty {
    type Error = std::io::Error;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        use serialport::SerialPort;
        self.0.set_timeout(Duration::from_millis(timeout_ms.into()))?;
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            // As long as nobody has opened it.
            Err(_) => thread::sleep(Duration::from_millis(timeout_ms.into())),
        }
        Ok(None)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        _ = self.0.write_all(bytes);
        Ok(())
    }
}

#[cfg(unix)]
#[test]
fn a_serial_device_carries_all_values_of_bytes() {
    use serialport::SerialPort;
    let bench = Bench::new();
    let package = bench.package((1, 4), 3, 9000);
    bench.file("fw.lgu", &package);
    let (ours, theirs) = serialport::TTYPort::pair().unwrap();
    let name = theirs.name().unwrap();
    // The tool opens it for itself alone.
    drop(theirs);
    let device = thread::spawn(move || {
        let mut receiver = Receiver::<_, 512>::new(Tty(ours)).answer_timeout(200);
        let mut got: Vec<u8> = Vec::new();
        let mut chunk = [0; 512];
        while let read @ 1.. = embedded_io::Read::read(&mut receiver, &mut chunk).unwrap() {
            got.extend(&chunk[..read]);
        }
        receiver.finish(Outcome::Verified, "all there").unwrap();
        got
    });
    ends(send(&bench, &name, &[]), 0, &["at 115200 baud", "verified   all there"]);
    assert_eq!(device.join().unwrap(), package);
}
