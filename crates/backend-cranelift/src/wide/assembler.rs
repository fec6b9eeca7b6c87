//! Machine code: the instructions of a row for one width of vectors.

use super::Vectors;
use super::ops::{Binary, Unary};
use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code, Formatter, IcedError, Instruction, InstructionBlock,
    IntelFormatter, MemoryOperand, OpKind, Register,
};
use std::collections::HashMap;

/// A place in the code.
pub(super) type Label = u64;

/// A vector register, by its number.
pub(super) type Vector = u8;

/// Something that an instruction reads.
#[derive(Clone, Copy)]
pub(super) enum Operand {
    Register(Vector),
    Memory(MemoryOperand),
}

/// Memory at a distance from a register.
pub(super) fn memory(base: Register, at: i32) -> MemoryOperand {
    MemoryOperand::with_base_displ(base, i64::from(at))
}

/// Which product a fused multiply-add overwrites what with: `a`, `b` and `c` are its operands in order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fused {
    /// `a = a * c + b`
    Product132,
    /// `a = b * a + c`
    Product213,
    /// `a = b * c + a`
    Sum231,
}

/// Mask of the rest of a row, with 512-bit vectors.
pub(super) const REST: Register = Register::K1;
/// Result of a comparison, with 512-bit vectors.
const HOLDS: Register = Register::K2;

/// Instructions in the making.
pub(super) struct Assembler {
    vectors: Vectors,
    double: bool,
    code: Vec<Instruction>,
    /// Names of places that the text shows.
    names: HashMap<Label, String>,
    /// Numbers that follow the code.
    data: Vec<(Label, u64)>,
    labels: Label,
    /// The place of the next instruction.
    here: Option<Label>,
}

impl Assembler {
    pub(super) fn new(vectors: Vectors, double: bool) -> Assembler {
        Assembler {
            vectors,
            double,
            code: vec![],
            names: HashMap::new(),
            data: vec![],
            labels: 0,
            here: None,
        }
    }

    /// Whether vectors are masked by registers of their own, and broadcast from memory as operands.
    pub(super) fn is_wide(&self) -> bool {
        self.vectors == Vectors::Bits512
    }

    fn vector(&self, v: Vector) -> Register {
        (if self.is_wide() { Register::ZMM0 } else { Register::YMM0 }) + u32::from(v)
    }

    /// The code for 512-bit singles and doubles, 256-bit singles and doubles.
    fn code(&self, codes: [Code; 4]) -> Code {
        codes[2 * usize::from(!self.is_wide()) + usize::from(self.double)]
    }

    pub(super) fn label(&mut self, name: &str) -> Label {
        self.labels += 1;
        if !name.is_empty() {
            self.names.insert(self.labels, name.into());
        }
        self.labels
    }

    /// The next instruction is at `label`.
    pub(super) fn bind(&mut self, label: Label) {
        self.here = Some(label);
    }

    fn push(&mut self, mut instruction: Instruction) {
        instruction.set_ip(self.here.take().unwrap_or(0));
        self.code.push(instruction);
    }

    fn made(&mut self, instruction: Result<Instruction, IcedError>) -> Result<(), IcedError> {
        self.push(instruction?);
        Ok(())
    }

    pub(super) fn plain(&mut self, code: Code) {
        self.push(Instruction::with(code));
    }

    pub(super) fn jump(&mut self, code: Code, to: Label) -> Result<(), IcedError> {
        self.made(Instruction::with_branch(code, to))
    }

    pub(super) fn one(&mut self, code: Code, a: Register) -> Result<(), IcedError> {
        self.made(Instruction::with1(code, a))
    }

    pub(super) fn with_number(&mut self, code: Code, a: Register, number: i32) -> Result<(), IcedError> {
        self.made(Instruction::with2(code, a, number))
    }

    pub(super) fn two(&mut self, code: Code, a: Register, b: Register) -> Result<(), IcedError> {
        self.made(Instruction::with2(code, a, b))
    }

    pub(super) fn read(&mut self, code: Code, to: Register, from: MemoryOperand) -> Result<(), IcedError> {
        self.made(Instruction::with2(code, to, from))
    }

    pub(super) fn three(&mut self, code: Code, [a, b, c]: [Register; 3]) -> Result<(), IcedError> {
        self.made(Instruction::with3(code, a, b, c))
    }

    pub(super) fn add_to_memory(&mut self, to: MemoryOperand, number: i32) -> Result<(), IcedError> {
        self.made(Instruction::with2(Code::Add_rm64_imm32, to, number))
    }

    /// Asks for a cache line, into the second-level cache.
    pub(super) fn prefetch(&mut self, from: MemoryOperand) -> Result<(), IcedError> {
        self.made(Instruction::with1(Code::Prefetcht1_m8, from))
    }

    /// A number that lies behind the code, for all lanes.
    pub(super) fn literal(&mut self, bits: u64) -> MemoryOperand {
        let known = self.data.iter().find(|(label, b)| *label > 0 && *b == bits).map(|(label, _)| *label);
        let label = known.unwrap_or_else(|| {
            let label = self.label("");
            self.data.push((label, bits));
            label
        });
        MemoryOperand::new(Register::RIP, Register::None, 1, label as i64, 8, true, Register::None)
    }

    /// Lanes of all ones, then as many of zeros, behind the code.
    pub(super) fn mask_table(&mut self, lanes: usize) -> MemoryOperand {
        let first = self.label("");
        self.data.push((first, u64::MAX));
        for i in 1..2 * lanes {
            self.data.push((0, if i < lanes { u64::MAX } else { 0 }));
        }
        MemoryOperand::new(Register::RIP, Register::None, 1, first as i64, 8, false, Register::None)
    }

    fn with_operand(&mut self, code: Code, to: Register, from: Operand) -> Result<(), IcedError> {
        self.made(match from {
            Operand::Register(r) => Instruction::with2(code, to, self.vector(r)),
            Operand::Memory(m) => Instruction::with2(code, to, m),
        })
    }

    fn with_operands(&mut self, code: Code, to: Register, x: Vector, y: Operand) -> Result<(), IcedError> {
        let x = self.vector(x);
        self.made(match y {
            Operand::Register(r) => Instruction::with3(code, to, x, self.vector(r)),
            Operand::Memory(m) => Instruction::with3(code, to, x, m),
        })
    }

    fn with_choice(
        &mut self,
        code: Code,
        to: Register,
        (x, y): (Vector, Operand),
        choice: u32,
    ) -> Result<(), IcedError> {
        let x = self.vector(x);
        self.made(match y {
            Operand::Register(r) => Instruction::with4(code, to, x, self.vector(r), choice),
            Operand::Memory(m) => Instruction::with4(code, to, x, m, choice),
        })
    }

    /// Copies a whole vector.
    pub(super) fn copy(&mut self, to: Vector, from: Operand) -> Result<(), IcedError> {
        use Code::*;
        let code = self.code([
            EVEX_Vmovups_zmm_k1z_zmmm512,
            EVEX_Vmovupd_zmm_k1z_zmmm512,
            VEX_Vmovups_ymm_ymmm256,
            VEX_Vmovupd_ymm_ymmm256,
        ]);
        self.with_operand(code, self.vector(to), from)
    }

    /// The same value in all lanes.
    pub(super) fn broadcast(&mut self, to: Vector, mut from: MemoryOperand) -> Result<(), IcedError> {
        use Code::*;
        from.is_broadcast = false;
        let code = self.code([
            EVEX_Vbroadcastss_zmm_k1z_xmmm32,
            EVEX_Vbroadcastsd_zmm_k1z_xmmm64,
            VEX_Vbroadcastss_ymm_m32,
            VEX_Vbroadcastsd_ymm_m64,
        ]);
        self.with_operand(code, self.vector(to), Operand::Memory(from))
    }

    /// Loads the lanes of the rest of a row; `mask` has them, where registers of masks do not.
    pub(super) fn load_rest(
        &mut self,
        to: Vector,
        from: MemoryOperand,
        mask: Vector,
    ) -> Result<(), IcedError> {
        use Code::*;
        let code = self.code([
            EVEX_Vmovups_zmm_k1z_zmmm512,
            EVEX_Vmovupd_zmm_k1z_zmmm512,
            VEX_Vmaskmovps_ymm_ymm_m256,
            VEX_Vmaskmovpd_ymm_ymm_m256,
        ]);
        if !self.is_wide() {
            return self.with_operands(code, self.vector(to), mask, Operand::Memory(from));
        }
        let mut load = Instruction::with2(code, self.vector(to), from)?;
        load.set_op_mask(REST);
        load.set_zeroing_masking(true);
        self.push(load);
        Ok(())
    }

    /// Stores the lanes of the rest of a row.
    pub(super) fn store_rest(
        &mut self,
        to: MemoryOperand,
        from: Vector,
        mask: Vector,
    ) -> Result<(), IcedError> {
        use Code::*;
        let code = self.code([
            EVEX_Vmovups_zmmm512_k1z_zmm,
            EVEX_Vmovupd_zmmm512_k1z_zmm,
            VEX_Vmaskmovps_m256_ymm_ymm,
            VEX_Vmaskmovpd_m256_ymm_ymm,
        ]);
        let from = self.vector(from);
        if !self.is_wide() {
            let mask = self.vector(mask);
            return self.made(Instruction::with3(code, to, mask, from));
        }
        let mut store = Instruction::with2(code, to, from)?;
        store.set_op_mask(REST);
        self.push(store);
        Ok(())
    }

    /// Stores a whole vector, past the caches if `streams`: then at a multiple of its size.
    pub(super) fn store(&mut self, to: MemoryOperand, from: Vector, streams: bool) -> Result<(), IcedError> {
        use Code::*;
        let code = if streams {
            self.code([
                EVEX_Vmovntps_m512_zmm,
                EVEX_Vmovntpd_m512_zmm,
                VEX_Vmovntps_m256_ymm,
                VEX_Vmovntpd_m256_ymm,
            ])
        } else {
            self.code([
                EVEX_Vmovups_zmmm512_k1z_zmm,
                EVEX_Vmovupd_zmmm512_k1z_zmm,
                VEX_Vmovups_ymmm256_ymm,
                VEX_Vmovupd_ymmm256_ymm,
            ])
        };
        self.made(Instruction::with2(code, to, self.vector(from)))
    }

    pub(super) fn unary(&mut self, op: Unary, to: Vector, from: Operand) -> Result<(), IcedError> {
        use Code::*;
        // Towards minus, plus infinity, without an exception for what is not whole.
        let (rounding, code) = match op {
            Unary::Sqrt => {
                let code = self.code([
                    EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er,
                    EVEX_Vsqrtpd_zmm_k1z_zmmm512b64_er,
                    VEX_Vsqrtps_ymm_ymmm256,
                    VEX_Vsqrtpd_ymm_ymmm256,
                ]);
                return self.with_operand(code, self.vector(to), from);
            }
            Unary::Floor => (0x09, self.rounding()),
            Unary::Ceil => (0x0a, self.rounding()),
        };
        let to = self.vector(to);
        self.made(match from {
            Operand::Register(r) => Instruction::with3(code, to, self.vector(r), rounding),
            Operand::Memory(m) => Instruction::with3(code, to, m, rounding),
        })
    }

    fn rounding(&self) -> Code {
        self.code([
            Code::EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae,
            Code::EVEX_Vrndscalepd_zmm_k1z_zmmm512b64_imm8_sae,
            Code::VEX_Vroundps_ymm_ymmm256_imm8,
            Code::VEX_Vroundpd_ymm_ymmm256_imm8,
        ])
    }

    pub(super) fn binary(&mut self, op: Binary, to: Vector, x: Vector, y: Operand) -> Result<(), IcedError> {
        let predicate = match op {
            Binary::Less => 0x11,
            Binary::LessOrEqual => 0x12,
            Binary::Equal => 0x00,
            _ => {
                let code = self.code(codes(op));
                return self.with_operands(code, self.vector(to), x, y);
            }
        };
        let code = self.code([
            Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae,
            Code::EVEX_Vcmppd_kr_k1_zmm_zmmm512b64_imm8_sae,
            Code::VEX_Vcmpps_ymm_ymm_ymmm256_imm8,
            Code::VEX_Vcmppd_ymm_ymm_ymmm256_imm8,
        ]);
        if !self.is_wide() {
            return self.with_choice(code, self.vector(to), (x, y), predicate);
        }
        self.with_choice(code, HOLDS, (x, y), predicate)?;
        let spread = if self.double { Code::EVEX_Vpmovm2q_zmm_kr } else { Code::EVEX_Vpmovm2d_zmm_kr };
        let to = self.vector(to);
        self.two(spread, to, HOLDS)
    }

    /// `to = mask ? x : y`; with 512-bit vectors, `mask` must be `to`.
    pub(super) fn select(
        &mut self,
        to: Vector,
        mask: Vector,
        x: Operand,
        y: Vector,
    ) -> Result<(), IcedError> {
        use Code::*;
        if self.is_wide() {
            let code = if self.double {
                EVEX_Vpternlogq_zmm_k1z_zmm_zmmm512b64_imm8
            } else {
                EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8
            };
            let to = self.vector(to);
            // Bit i of the choice is the result for mask, y, x = the bits of i.
            return self.with_choice(code, to, (y, x), 0b1010_1100);
        }
        let code =
            if self.double { VEX_Vblendvpd_ymm_ymm_ymmm256_ymm } else { VEX_Vblendvps_ymm_ymm_ymmm256_ymm };
        let (to, y, mask) = (self.vector(to), self.vector(y), self.vector(mask));
        self.made(match x {
            Operand::Register(r) => Instruction::with4(code, to, y, self.vector(r), mask),
            Operand::Memory(m) => Instruction::with4(code, to, y, m, mask),
        })
    }

    pub(super) fn fused(&mut self, form: Fused, a: Vector, b: Vector, c: Operand) -> Result<(), IcedError> {
        use Code::*;
        let code = self.code(match form {
            Fused::Product132 => [
                EVEX_Vfmadd132ps_zmm_k1z_zmm_zmmm512b32_er,
                EVEX_Vfmadd132pd_zmm_k1z_zmm_zmmm512b64_er,
                VEX_Vfmadd132ps_ymm_ymm_ymmm256,
                VEX_Vfmadd132pd_ymm_ymm_ymmm256,
            ],
            Fused::Product213 => [
                EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
                EVEX_Vfmadd213pd_zmm_k1z_zmm_zmmm512b64_er,
                VEX_Vfmadd213ps_ymm_ymm_ymmm256,
                VEX_Vfmadd213pd_ymm_ymm_ymmm256,
            ],
            Fused::Sum231 => [
                EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
                EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er,
                VEX_Vfmadd231ps_ymm_ymm_ymmm256,
                VEX_Vfmadd231pd_ymm_ymm_ymmm256,
            ],
        });
        self.with_operands(code, self.vector(a), b, c)
    }

    /// The bytes.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, IcedError> {
        for (label, bits) in std::mem::take(&mut self.data) {
            self.here = (label > 0).then_some(label);
            self.push(if self.double {
                Instruction::with_declare_qword_1(bits)
            } else {
                Instruction::with_declare_dword_1(bits as u32)
            });
        }
        let block = InstructionBlock::new(&self.code, 0);
        Ok(BlockEncoder::encode(64, block, BlockEncoderOptions::NONE)?.code_buffer)
    }

    /// One instruction a line, numbers by their values.
    pub(super) fn text(&self) -> String {
        let mut formatter = IntelFormatter::new();
        let mut lines = Vec::new();
        for i in &self.code {
            if let Some(name) = self.names.get(&i.ip()) {
                lines.push(format!("{name}:"));
            }
            let mut line = String::from("    ");
            if i.op0_kind() == OpKind::NearBranch64 {
                let name = self.names.get(&i.near_branch_target()).map_or("", String::as_str);
                line += &format!("{:?} {name}", i.mnemonic()).to_lowercase();
            } else {
                formatter.format(i, &mut line);
            }
            let read = self
                .data
                .iter()
                .find(|(label, _)| i.is_ip_rel_memory_operand() && *label == i.ip_rel_memory_address());
            if let Some((_, bits)) = read {
                let value =
                    if self.double { f64::from_bits(*bits) } else { f64::from(f32::from_bits(*bits as u32)) };
                line += &format!(" ; {value}");
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}

fn codes(op: Binary) -> [Code; 4] {
    use Code::*;
    match op {
        Binary::Add => [
            EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
            EVEX_Vaddpd_zmm_k1z_zmm_zmmm512b64_er,
            VEX_Vaddps_ymm_ymm_ymmm256,
            VEX_Vaddpd_ymm_ymm_ymmm256,
        ],
        Binary::Sub => [
            EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
            EVEX_Vsubpd_zmm_k1z_zmm_zmmm512b64_er,
            VEX_Vsubps_ymm_ymm_ymmm256,
            VEX_Vsubpd_ymm_ymm_ymmm256,
        ],
        Binary::Mul => [
            EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
            EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er,
            VEX_Vmulps_ymm_ymm_ymmm256,
            VEX_Vmulpd_ymm_ymm_ymmm256,
        ],
        Binary::Div => [
            EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
            EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
            VEX_Vdivps_ymm_ymm_ymmm256,
            VEX_Vdivpd_ymm_ymm_ymmm256,
        ],
        Binary::Min => [
            EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae,
            EVEX_Vminpd_zmm_k1z_zmm_zmmm512b64_sae,
            VEX_Vminps_ymm_ymm_ymmm256,
            VEX_Vminpd_ymm_ymm_ymmm256,
        ],
        Binary::Max => [
            EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae,
            EVEX_Vmaxpd_zmm_k1z_zmm_zmmm512b64_sae,
            VEX_Vmaxps_ymm_ymm_ymmm256,
            VEX_Vmaxpd_ymm_ymm_ymmm256,
        ],
        Binary::And => [
            EVEX_Vandps_zmm_k1z_zmm_zmmm512b32,
            EVEX_Vandpd_zmm_k1z_zmm_zmmm512b64,
            VEX_Vandps_ymm_ymm_ymmm256,
            VEX_Vandpd_ymm_ymm_ymmm256,
        ],
        Binary::Or => [
            EVEX_Vorps_zmm_k1z_zmm_zmmm512b32,
            EVEX_Vorpd_zmm_k1z_zmm_zmmm512b64,
            VEX_Vorps_ymm_ymm_ymmm256,
            VEX_Vorpd_ymm_ymm_ymmm256,
        ],
        // Comparisons have a predicate, and come elsewhere.
        Binary::Xor | Binary::Less | Binary::LessOrEqual | Binary::Equal => [
            EVEX_Vxorps_zmm_k1z_zmm_zmmm512b32,
            EVEX_Vxorpd_zmm_k1z_zmm_zmmm512b64,
            VEX_Vxorps_ymm_ymm_ymmm256,
            VEX_Vxorpd_ymm_ymm_ymmm256,
        ],
    }
}
