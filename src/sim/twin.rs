//! The async twin: the same flash, one yield before each operation.
//!
//! A future dropped at that yield has not begun its operation. One that meets a stall ([`Flash::stall_at`])
//! has torn it and stays pending, so that dropping it is dropping an operation midway.

use core::{
    future::{pending, poll_fn},
    task::Poll,
};

use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use super::{Error, Flash};

impl<const WRITE: usize, const READ: usize> ReadNorFlash for Flash<WRITE, READ> {
    const READ_SIZE: usize = READ;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        yield_once().await;
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.geometry().capacity() as usize
    }
}

impl<const WRITE: usize, const READ: usize> NorFlash for Flash<WRITE, READ> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = 1;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        yield_once().await;
        hang_if_stalled(self.erase_now(from, to)).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        yield_once().await;
        hang_if_stalled(self.write_now(offset, bytes)).await
    }
}

async fn hang_if_stalled(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Stalled) => pending().await,
        other => other,
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
