//! Parts that threads finish in any order, appended in their order.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Appends numbered parts to a vector. A part that is the next one goes to its place at once, while it is in a cache;
/// one that is early waits in a copy.
pub(super) struct Line<'a> {
    tickets: AtomicUsize,
    order: Mutex<Order>,
    out: &'a mut Vec<u8>,
    /// Behind the length of `out`.
    spare: *mut MaybeUninit<u8>,
    room: usize,
}

// SAFETY: threads write disjoint parts of what `spare` points to, and leave `out` alone.
unsafe impl Sync for Line<'_> {}

#[derive(Default)]
struct Order {
    /// Size and checksum of the parts whose places are known.
    placed: Vec<(usize, u32)>,
    /// Sum of their sizes.
    end: usize,
    early: BTreeMap<usize, (Box<[u8]>, u32)>,
    /// Parts beyond the room, by their places; nothing behind one of them has room.
    beyond: BTreeMap<usize, Box<[u8]>>,
}

impl Order {
    /// Place of the next part.
    fn place(&mut self, bytes: &[u8], crc: u32) -> usize {
        let start = self.end;
        self.end += bytes.len();
        self.placed.push((bytes.len(), crc));
        start
    }
}

impl<'a> Line<'a> {
    /// `room` bytes are expected at most; more of them cost a copy.
    pub(super) fn new(out: &'a mut Vec<u8>, room: usize) -> Self {
        out.reserve(room);
        let spare = out.spare_capacity_mut();
        let (spare, room) = (spare.as_mut_ptr(), spare.len());
        Line { tickets: AtomicUsize::new(0), order: Mutex::default(), out, spare, room }
    }

    /// Number of the next part that nobody works at.
    pub(super) fn ticket(&self) -> usize {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes the part with the number of a ticket.
    pub(super) fn append(&self, ticket: usize, bytes: &[u8], crc: u32) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if ticket != order.placed.len() {
            order.early.insert(ticket, (bytes.into(), crc));
            return;
        }
        let start = order.place(bytes, crc);
        let mut ready = Vec::new();
        loop {
            let next = order.placed.len();
            let Some((bytes, crc)) = order.early.remove(&next) else { break };
            ready.push((order.place(&bytes, crc), bytes));
        }
        drop(order);
        self.write(start, bytes);
        ready.iter().for_each(|(start, bytes)| self.write(*start, bytes));
    }

    fn write(&self, start: usize, bytes: &[u8]) {
        if start + bytes.len() > self.room {
            let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            order.beyond.insert(start, bytes.into());
            return;
        }
        // SAFETY: places are disjoint, and this one is inside the spare capacity.
        let part = unsafe { std::slice::from_raw_parts_mut(self.spare.add(start), bytes.len()) };
        part.write_copy_of_slice(bytes);
    }

    /// Ends the vector behind the parts before the first that is missing; their sizes and checksums.
    pub(super) fn finish(self) -> Vec<(usize, u32)> {
        let Order { placed, end, beyond, .. } =
            self.order.into_inner().unwrap_or_else(PoisonError::into_inner);
        let written = beyond.first_key_value().map_or(end, |(start, _)| *start);
        // SAFETY: what was placed is written: parts with room, one after the other, then those beyond it.
        unsafe { self.out.set_len(self.out.len() + written) };
        beyond.into_values().for_each(|bytes| self.out.extend_from_slice(&bytes));
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_and_any_room() {
        for room in [0, 3, 7, 100] {
            for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
                let mut out = Vec::with_capacity(1);
                out.push(9);
                out.shrink_to_fit();
                let line = Line::new(&mut out, room);
                order.iter().for_each(|i| line.append(*i, &vec![*i as u8; i + 1], *i as u32));
                assert_eq!(line.finish(), [(1, 0), (2, 1), (3, 2), (4, 3)]);
                assert_eq!(out, [9, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3]);
            }
        }
    }

    #[test]
    fn ends_before_a_missing_part() {
        let mut out = Vec::new();
        let line = Line::new(&mut out, 10);
        line.append(0, &[1], 5);
        line.append(2, &[3], 7);
        assert_eq!(line.finish(), [(1, 5)]);
        assert_eq!(out, [1]);
    }
}
