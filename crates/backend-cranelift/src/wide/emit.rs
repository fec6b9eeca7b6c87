//! Operations into instructions, each operand from a register or from memory as it comes.

use super::Vectors;
use super::assembler::{Assembler, Fused, Label, Operand, REST, Vector, memory};
use super::ops::{Op, Place, Row, Value};
use super::registers::{Home, Registers};
use iced_x86::{Code, IcedError, MemoryOperand, Register};

/// The arguments of the function.
const ARGUMENTS: Register = Register::RDI;
/// Points that are left.
const POINTS: Register = Register::RSI;
/// For what is needed for a moment.
const MOMENT: Register = Register::R11;
const FRAME: Register = Register::RBP;
/// Walk along the buffers; those after the sixth belong to the caller.
const POINTERS: [Register; 11] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::RBX,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];
const FREE_POINTERS: usize = 6;
/// Bytes of the smallest guard page.
const PAGE: i32 = 4096;

/// A loop over whole vectors, or the rest of the row behind it.
#[derive(Clone, Copy, PartialEq)]
enum Points {
    Whole,
    Rest,
}

/// A row on its way to instructions.
struct Emitter<'r> {
    row: &'r Row,
    vectors: Vectors,
    asm: Assembler,
    /// Registers that keep a constant during the whole row.
    kept: Vec<(Value, Vector)>,
    /// Register for what an instruction cannot read from memory.
    moment: Vector,
    /// Lanes of the rest, with 256-bit vectors.
    mask: Vector,
    /// Slots of the stack that were needed so far.
    slots: usize,
}

/// The instructions of a row.
pub(super) fn emit(row: &Row, vectors: Vectors) -> Result<Assembler, IcedError> {
    let count = if vectors == Vectors::Bits512 { 32 } else { 16 };
    // The first run tells how many registers the values take.
    let mut trial = Emitter::new(row, vectors, count);
    let most = trial.points(Points::Whole, trial.registers(), false)?;
    let mut e = Emitter::new(row, vectors, count);
    let shared = e.registers() - e.keep(most);
    // How many slots a row needs is known behind it: the second round has them.
    let mut frame = 0;
    loop {
        let mut whole =
            Emitter { asm: Assembler::new(vectors, row.double), slots: 0, kept: e.kept.clone(), ..e };
        whole.function(shared, frame)?;
        if whole.slots <= frame {
            return Ok(whole.asm);
        }
        frame = whole.slots;
    }
}

impl<'r> Emitter<'r> {
    fn new(row: &'r Row, vectors: Vectors, count: u8) -> Emitter<'r> {
        // Wide vectors have masks elsewhere.
        let (moment, mask) = match vectors {
            Vectors::Bits512 => (count - 1, count - 1),
            _ => (count - 1, count - 2),
        };
        let asm = Assembler::new(vectors, row.double);
        Emitter { row, vectors, asm, kept: vec![], moment, mask, slots: 0 }
    }

    /// Chooses the constants that stay in registers beside `most` values, the most used ones; how many.
    fn keep(&mut self, most: usize) -> usize {
        let registers = Registers::new(self.row, 0);
        let free = self.registers().saturating_sub(most.max(4));
        let mut constants: Vec<Value> =
            (0..self.row.ops.len()).filter(|v| self.row.ops[*v].is_constant()).collect();
        constants.sort_by_key(|v| (usize::MAX - registers.uses(*v), *v));
        constants.truncate(free);
        self.kept = constants.into_iter().zip((0..self.registers() as Vector).rev()).collect();
        self.kept.len()
    }

    /// Registers for values and constants.
    fn registers(&self) -> usize {
        usize::from(self.moment.min(self.mask))
    }

    fn bytes(&self) -> i32 {
        self.vectors.bytes() as i32
    }

    /// Points of a vector.
    fn lanes(&self) -> i32 {
        self.bytes() / self.row.size()
    }

    fn function(&mut self, registers: usize, slots: usize) -> Result<(), IcedError> {
        let frame = slots as i32 * self.bytes();
        let saved = POINTERS[FREE_POINTERS..].iter().take(self.row.buffers.saturating_sub(FREE_POINTERS));
        let saved: Vec<Register> = saved.copied().collect();
        for r in &saved {
            self.asm.one(Code::Push_r64, *r)?;
        }
        if frame > 0 {
            self.asm.one(Code::Push_r64, FRAME)?;
            self.asm.two(Code::Mov_r64_rm64, FRAME, Register::RSP)?;
            self.asm.with_number(Code::And_rm64_imm8, Register::RSP, -64)?;
            // The guard page of a stack must be touched, not stepped over.
            for page in 1..=frame / PAGE {
                self.asm.read(Code::Mov_r64_rm64, MOMENT, memory(Register::RSP, -page * PAGE))?;
            }
            self.asm.with_number(Code::Sub_rm64_imm32, Register::RSP, frame)?;
        }
        for (i, r) in POINTERS.iter().enumerate().take(self.row.buffers) {
            self.asm.read(Code::Mov_r64_rm64, *r, memory(ARGUMENTS, 8 * i as i32))?;
        }
        for (v, r) in self.kept.clone() {
            let from = self.constant(v);
            self.asm.broadcast(r, from)?;
        }
        let (again, rest, done) = (self.asm.label("points"), self.asm.label("rest"), self.asm.label("done"));
        self.asm.with_number(Code::Sub_rm64_imm8, POINTS, self.lanes())?;
        self.asm.jump(Code::Jl_rel32_64, rest)?;
        self.asm.bind(again);
        self.points(Points::Whole, registers, true)?;
        self.step(again)?;
        self.asm.bind(rest);
        self.asm.with_number(Code::Add_rm64_imm8, POINTS, self.lanes())?;
        self.asm.jump(Code::Je_rel32_64, done)?;
        self.mask_rest()?;
        self.points(Points::Rest, registers, true)?;
        self.asm.bind(done);
        if self.row.ops.iter().any(|op| matches!(op, Op::Store(_, _, true))) {
            self.asm.plain(Code::Sfence);
        }
        self.asm.plain(Code::VEX_Vzeroupper);
        if frame > 0 {
            self.asm.two(Code::Mov_r64_rm64, Register::RSP, FRAME)?;
            self.asm.one(Code::Pop_r64, FRAME)?;
        }
        for r in saved.iter().rev() {
            self.asm.one(Code::Pop_r64, *r)?;
        }
        self.asm.plain(Code::Retnq);
        Ok(())
    }

    /// On to the next vector, and to `again` if it is whole.
    fn step(&mut self, again: Label) -> Result<(), IcedError> {
        let bytes = self.bytes();
        for i in 0..self.row.buffers {
            match POINTERS.get(i) {
                Some(r) => self.asm.with_number(Code::Add_rm64_imm32, *r, bytes)?,
                None => self.asm.add_to_memory(memory(ARGUMENTS, 8 * i as i32), bytes)?,
            }
        }
        self.asm.with_number(Code::Sub_rm64_imm8, POINTS, self.lanes())?;
        self.asm.jump(Code::Jge_rel32_64, again)
    }

    /// The lanes of the rest: its points are left.
    fn mask_rest(&mut self) -> Result<(), IcedError> {
        if self.asm.is_wide() {
            self.asm.with_number(Code::Mov_r32_imm32, Register::R11D, -1)?;
            self.asm.three(Code::VEX_Bzhi_r32_rm32_r32, [Register::R11D, Register::R11D, Register::ESI])?;
            return self.asm.two(Code::VEX_Kmovw_kr_r32, REST, Register::R11D);
        }
        // As many lanes from the end of the ones in the table as there are points.
        let lanes = self.lanes();
        let table = self.asm.mask_table(lanes as usize);
        self.asm.read(Code::Lea_r64_m, MOMENT, table)?;
        self.asm.one(Code::Neg_rm64, POINTS)?;
        let size = self.row.size();
        let first = MemoryOperand::new(
            MOMENT,
            POINTS,
            size as u32,
            i64::from(lanes * size),
            1,
            false,
            Register::None,
        );
        self.asm.copy(self.mask, Operand::Memory(first))
    }

    /// The operations at a vector of points, with `count` registers; the most that were used at a time. Loads that are
    /// used again take registers that are free, if they `hold`.
    fn points(&mut self, points: Points, count: usize, hold: bool) -> Result<usize, IcedError> {
        if points == Points::Whole {
            for place in &self.row.ahead {
                let from = self.field(*place)?;
                self.asm.prefetch(from)?;
            }
        }
        let mut at = At { points, hold, now: 0, registers: Registers::new(self.row, count) };
        for (i, op) in self.row.ops.iter().enumerate() {
            at.now = i;
            self.operation(*op, &mut at)?;
            at.registers.end(i);
        }
        self.slots = self.slots.max(at.registers.slots());
        Ok(at.registers.most)
    }

    fn operation(&mut self, op: Op, at: &mut At) -> Result<(), IcedError> {
        let now = at.now;
        match op {
            Op::Literal(_) | Op::Scalar(_) => at.registers.homes[now] = Home::Constant,
            Op::Load(place) => {
                let last = at.registers.last_use(now).unwrap_or(now);
                if self.row.is_overwritten(now, last) {
                    let r = self.take(now, at)?;
                    self.load(r, place, at)?;
                } else {
                    at.registers.homes[now] = Home::Field(place);
                }
            }
            Op::Unary(op, x) => {
                let x = self.operand(x, at)?;
                at.registers.release(now);
                let r = self.take(now, at)?;
                self.asm.unary(op, r, x)?;
            }
            Op::Binary(op, x, y) => {
                let swap =
                    op.commutes() && self.in_register(x, at).is_none() && self.in_register(y, at).is_some();
                let (x, y) = if swap { (y, x) } else { (x, y) };
                let first = self.register(x, at)?;
                let second = self.operand(y, at)?;
                at.registers.release(now);
                let r = self.take(now, at)?;
                self.asm.binary(op, r, first, second)?;
            }
            Op::Fma(x, y, z) => self.fused([x, y, z], at)?,
            Op::Select(mask, x, y) => self.select([mask, x, y], at)?,
            Op::Store(place, value, past) => {
                let r = self.register(value, at)?;
                let to = self.field(place)?;
                match at.points {
                    Points::Whole => self.asm.store(to, r, past)?,
                    Points::Rest => self.asm.store_rest(to, r, self.mask)?,
                }
            }
        }
        Ok(())
    }

    /// `x * y + z` in the register of an operand that is not needed any more, if there is one.
    fn fused(&mut self, [x, y, z]: [Value; 3], at: &mut At) -> Result<(), IcedError> {
        let now = at.now;
        let (a, b) = if self.in_register(x, at).is_none() && self.in_register(y, at).is_some() {
            (y, x)
        } else {
            (x, y)
        };
        let ends = |v: Value, at: &At| at.registers.of(v).is_some() && !at.registers.lives_after(v, now);
        if ends(z, at) && z != a && z != b {
            at.registers.pin(z);
            let first = self.register(a, at)?;
            let second = self.operand(b, at)?;
            let r = self.inherit(now, z, at)?;
            return self.asm.fused(Fused::Sum231, r, first, second);
        }
        for (a, b) in [(a, b), (b, a)] {
            if !ends(a, at) || a == b || a == z {
                continue;
            }
            at.registers.pin(a);
            if self.in_register(z, at).is_some() {
                let term = self.register(z, at)?;
                let factor = self.operand(b, at)?;
                let r = self.inherit(now, a, at)?;
                return self.asm.fused(Fused::Product132, r, term, factor);
            }
            let factor = self.register(b, at)?;
            let term = self.operand(z, at)?;
            let r = self.inherit(now, a, at)?;
            return self.asm.fused(Fused::Product213, r, factor, term);
        }
        let first = self.register(a, at)?;
        if at.registers.of(z).is_some() {
            at.registers.pin(z);
        }
        let r = self.take(now, at)?;
        self.copy(r, z, at)?;
        // Last: the address of memory stays good for one instruction only.
        let second = self.operand(b, at)?;
        self.asm.fused(Fused::Sum231, r, first, second)
    }

    fn select(&mut self, [mask, x, y]: [Value; 3], at: &mut At) -> Result<(), IcedError> {
        let now = at.now;
        let otherwise = self.register(y, at)?;
        if !self.asm.is_wide() {
            let holds = self.register(mask, at)?;
            let x = self.operand(x, at)?;
            at.registers.release(now);
            let r = self.take(now, at)?;
            return self.asm.select(r, holds, x, otherwise);
        }
        if at.registers.of(mask).is_some() {
            at.registers.pin(mask);
        }
        let x = self.operand(x, at)?;
        let r = self.take(now, at)?;
        self.copy(r, mask, at)?;
        self.asm.select(r, r, x, otherwise)
    }

    fn kept(&self, v: Value) -> Option<Vector> {
        self.kept.iter().find(|(k, _)| *k == v).map(|(_, r)| *r)
    }

    fn in_register(&self, v: Value, at: &At) -> Option<Vector> {
        self.kept(v).or_else(|| at.registers.of(v))
    }

    /// A register for a value that is about to be written.
    fn take(&mut self, v: Value, at: &mut At) -> Result<Vector, IcedError> {
        let (r, spilled) = at.registers.take(v, at.now);
        if let Some(s) = spilled {
            let to = self.slot(s.slot);
            self.asm.store(to, s.from, false)?;
        }
        at.registers.pin(v);
        Ok(r)
    }

    fn inherit(&mut self, v: Value, from: Value, at: &mut At) -> Result<Vector, IcedError> {
        match at.registers.inherit(v, from) {
            Some(r) => Ok(r),
            None => self.take(v, at),
        }
    }

    /// A value in a register.
    fn register(&mut self, v: Value, at: &mut At) -> Result<Vector, IcedError> {
        if let Some(r) = self.kept(v) {
            return Ok(r);
        }
        if let Some(r) = at.registers.of(v) {
            at.registers.pin(v);
            return Ok(r);
        }
        let r = self.take(v, at)?;
        self.fetch(r, v, at)?;
        Ok(r)
    }

    /// A value in a register or in memory.
    fn operand(&mut self, v: Value, at: &mut At) -> Result<Operand, IcedError> {
        if let Some(r) = self.in_register(v, at) {
            at.registers.pin(v);
            return Ok(Operand::Register(r));
        }
        let home = at.registers.homes[v];
        if at.hold && at.registers.lives_after(v, at.now) && at.registers.has_free() {
            return self.register(v, at).map(Operand::Register);
        }
        match (home, at.points) {
            (Home::Slot(slot), _) => Ok(Operand::Memory(self.slot(slot))),
            (Home::Field(place), Points::Whole) => self.field(place).map(Operand::Memory),
            (Home::Constant, _) if self.asm.is_wide() => Ok(Operand::Memory(self.constant(v))),
            _ => {
                let r = self.moment;
                self.fetch(r, v, at)?;
                Ok(Operand::Register(r))
            }
        }
    }

    /// Copies a value, wherever it is, into a register.
    fn copy(&mut self, to: Vector, v: Value, at: &At) -> Result<(), IcedError> {
        match self.in_register(v, at) {
            Some(r) => self.asm.copy(to, Operand::Register(r)),
            None => self.fetch(to, v, at),
        }
    }

    /// Reads a value from its home.
    fn fetch(&mut self, to: Vector, v: Value, at: &At) -> Result<(), IcedError> {
        match at.registers.homes[v] {
            Home::Field(place) => self.load(to, place, at),
            Home::Slot(slot) => {
                let from = self.slot(slot);
                self.asm.copy(to, Operand::Memory(from))
            }
            Home::Constant => {
                let from = self.constant(v);
                self.asm.broadcast(to, from)
            }
            // Not reached: operands come first.
            Home::Nowhere => Ok(()),
        }
    }

    fn load(&mut self, to: Vector, place: Place, at: &At) -> Result<(), IcedError> {
        let from = self.field(place)?;
        match at.points {
            Points::Whole => self.asm.copy(to, Operand::Memory(from)),
            Points::Rest => self.asm.load_rest(to, from, self.mask),
        }
    }

    /// Memory of a neighbour.
    fn field(&mut self, place: Place) -> Result<MemoryOperand, IcedError> {
        let base = match POINTERS.get(place.buffer) {
            Some(r) => *r,
            None => {
                self.asm.read(Code::Mov_r64_rm64, MOMENT, memory(ARGUMENTS, 8 * place.buffer as i32))?;
                MOMENT
            }
        };
        Ok(memory(base, place.at))
    }

    fn slot(&self, slot: usize) -> MemoryOperand {
        memory(Register::RSP, slot as i32 * self.bytes())
    }

    /// Where a constant is, for all lanes.
    fn constant(&mut self, v: Value) -> MemoryOperand {
        match self.row.ops[v] {
            Op::Literal(bits) => self.asm.literal(bits),
            Op::Scalar(s) => {
                let at = i64::from(self.row.scalar_at(s));
                MemoryOperand::new(ARGUMENTS, Register::None, 1, at, 1, true, Register::None)
            }
            // Not reached: nothing else is a constant.
            _ => self.asm.literal(0),
        }
    }
}

/// Where the walk through the operations is.
struct At {
    points: Points,
    hold: bool,
    now: Value,
    registers: Registers,
}
