//! Streams on disk: written by a thread of their own, read by position.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::locks::lock;

/// Streams that may wait to be written: one is written while the next is made.
const WAITING: usize = 2;

/// Streams start at multiples of this.
pub(super) const ALIGN: u64 = 64;

/// A file that streams go to.
///
/// It has no name: it vanishes with the process, however that ends, and nobody can mistake it for a whole history.
#[derive(Debug)]
pub(super) struct Spool {
    file: Arc<File>,
    end: u64,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    streams: SyncSender<(u64, Vec<u8>)>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What the writer tells.
#[derive(Debug, Default)]
struct Shared {
    failure: Mutex<Option<io::Error>>,
    /// Vectors that are written, to be filled again.
    used: Mutex<Vec<Vec<u8>>>,
}

impl Spool {
    /// A file in a directory, and its writer.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(directory: &Path) -> io::Result<Spool> {
        Spool::to(tempfile::tempfile_in(directory)?)
    }

    fn to(file: File) -> io::Result<Spool> {
        let file = Arc::new(file);
        let (streams, waiting) = sync_channel::<(u64, Vec<u8>)>(WAITING);
        let shared = Arc::new(Shared::default());
        let (target, tell) = (file.clone(), shared.clone());
        let work = move || {
            let mut failed = false;
            for (offset, stream) in waiting {
                if !failed && let Err(error) = write_at(&target, &stream, offset) {
                    *lock(&tell.failure) = Some(error);
                    failed = true;
                }
                lock(&tell.used).push(stream);
            }
        };
        let thread = std::thread::Builder::new().name("wavefold-history".into()).spawn(work)?;
        let writer = Some(Writer { streams, shared, thread });
        Ok(Spool { file, end: 0, writer })
    }

    /// The file, for readers.
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Hands a stream to the writer, and leaves an empty vector in its place; waits while too many are on their way.
    /// Returns where the stream will lie.
    ///
    /// # Errors
    /// What befell a stream before this one.
    pub fn put(&mut self, stream: &mut Vec<u8>) -> io::Result<u64> {
        let writer = self.writer.as_ref().ok_or_else(|| io::Error::other("it is closed"))?;
        if let Some(error) = lock(&writer.shared.failure).take() {
            return Err(error);
        }
        let offset = self.end;
        self.end = (offset + stream.len() as u64).next_multiple_of(ALIGN);
        let mut fresh = lock(&writer.shared.used).pop().unwrap_or_default();
        fresh.clear();
        let full = std::mem::replace(stream, fresh);
        writer.streams.send((offset, full)).map_err(|_| io::Error::other("its writer stopped"))?;
        Ok(offset)
    }

    /// Waits until all streams are written. None can be put any more.
    ///
    /// # Errors
    /// What befell one of them.
    pub fn close(&mut self) -> io::Result<()> {
        let Some(Writer { streams, shared, thread }) = self.writer.take() else { return Ok(()) };
        drop(streams);
        thread.join().map_err(|_| io::Error::other("its writer stopped"))?;
        let failed = lock(&shared.failure).take();
        failed.map_or(Ok(()), Err)
    }
}

#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, offset) = (&bytes[n..], offset + n as u64);
    }
    Ok(())
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (bytes, offset) = (&mut bytes[n..], offset + n as u64);
    }
    Ok(())
}

/// Tells the system that a range of a file will be read soon: it reads ahead while the run computes.
pub(super) fn expect(file: &File, offset: u64, len: usize) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open; the call touches no memory. It is advice: its failure changes nothing.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), offset, len, libc::POSIX_FADV_WILLNEED) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_back_as_they_were_put() {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        let streams: Vec<Vec<u8>> = (0..20_usize).map(|i| vec![i as u8; i * i * 300]).collect();
        let offsets: Vec<u64> = streams.iter().map(|s| spool.put(&mut s.clone()).unwrap()).collect();
        spool.close().unwrap();
        assert!(spool.put(&mut vec![1]).is_err());
        for (stream, offset) in streams.iter().zip(offsets).rev() {
            assert_eq!(offset % ALIGN, 0);
            let mut back = vec![0; stream.len()];
            read_at(&spool.file(), &mut back, offset).unwrap();
            assert_eq!(&back, stream);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told() {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let mut spool = Spool::to(full()).unwrap();
        let failed = (0..100).find_map(|_| spool.put(&mut vec![0; 1000]).err()).or(spool.close().err());
        assert_eq!(failed.unwrap().kind(), io::ErrorKind::StorageFull);

        let mut spool = Spool::to(full()).unwrap();
        spool.put(&mut vec![0; 1000]).unwrap();
        assert_eq!(spool.close().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
