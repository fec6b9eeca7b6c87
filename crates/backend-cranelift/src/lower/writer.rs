//! Building one function: what its statements and expressions have in common.

use super::frame::{Buffer, Frame, context};
use super::nest::Task;
use crate::host;
use cranelift::prelude::*;
use cranelift_codegen::ir::{
    AliasRegionData, BlockArg, ExtFuncData, ExternalName, FuncRef, Function, UserExternalName,
};
use cranelift_codegen::isa::CallConv;
use std::collections::HashMap;
use std::rc::Rc;
use wavefold_ir::tree::{Program, Reduction, Stmt};
use wavefold_ir::{Access, DType, ScalarId};

/// Pointers and indices.
pub(super) const WORD: Type = types::I64;

/// What the code knows about the current place along a dimension.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// The current tile, inside a loop over tiles.
    pub(super) tile: Option<Tile>,
    /// The current point, inside a loop over points.
    pub(super) point: Option<Value>,
}

/// A tile along a dimension.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// The first point.
    pub(super) lo: Value,
    /// The point after the last.
    pub(super) hi: Value,
    /// Number of points, when it is known now.
    pub(super) points: Option<i64>,
}

/// A function under construction.
pub(super) struct Writer<'a, 'f> {
    pub(super) program: &'a Program,
    pub(super) layout: &'f Frame,
    pub(super) b: FunctionBuilder<'f>,
    /// Loop bodies found so far.
    pub(super) tasks: &'f mut Vec<Task<'a>>,
    /// The arguments of the function.
    pub(super) parameters: Vec<Value>,
    /// Address of the frame.
    pub(super) frame: Value,
    /// Address of the context.
    pub(super) context: Value,
    /// Buffers that change while the function runs; `None` when any may.
    pub(super) written: Option<Rc<[Buffer]>>,
    /// Memory of the current tile, when this function borrowed it.
    pub(super) tile_memory: Option<Value>,
    /// In a reduction: how values are combined, and where the result of the current tile is kept.
    pub(super) partial: Option<(Reduction, Value)>,
    /// Whether the code runs at the first step only.
    pub(super) once: bool,
    /// Position of the first point of the domain in each buffer that the function uses.
    pub(super) origins: HashMap<Buffer, Value>,
    /// The place along each dimension.
    pub(super) places: [Place; 3],
    /// Values of the expression being built, by expression. Operands come first, so nothing stale is read.
    pub(super) memo: Vec<Value>,
    imports: HashMap<u32, FuncRef>,
}

impl<'a, 'f> Writer<'a, 'f> {
    /// Starts a function in its entry block; the caller then sets `frame` and `context`.
    pub(super) fn new(
        program: &'a Program,
        layout: &'f Frame,
        function: &'f mut Function,
        builder: &'f mut FunctionBuilderContext,
        tasks: &'f mut Vec<Task<'a>>,
    ) -> Self {
        let mut b = FunctionBuilder::new(function, builder);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let parameters = b.block_params(entry).to_vec();
        let first = parameters[0];
        Writer {
            program,
            layout,
            b,
            tasks,
            parameters,
            frame: first,
            context: first,
            written: None,
            tile_memory: None,
            partial: None,
            once: false,
            origins: HashMap::new(),
            places: [Place::default(); 3],
            memo: vec![first; program.exprs.len()],
            imports: HashMap::new(),
        }
    }

    /// Ends the function.
    pub(super) fn finish(mut self) {
        self.b.seal_all_blocks();
        self.b.finalize(self.layout.target);
    }

    /// The type of one value of the program.
    pub(super) fn element(&self) -> Type {
        type_of(self.program.decls.dtype)
    }

    /// Bytes of one value of the program.
    pub(super) fn bytes(&self) -> i64 {
        self.element().bytes() as i64
    }

    /// Flags for memory that does not change while the function runs.
    pub(super) fn constant_flags() -> MemFlagsData {
        MemFlagsData::trusted().with_can_move().with_readonly()
    }

    /// Flags for a load from a buffer, or a store to it: `readonly` exactly when the function never stores there.
    pub(super) fn load_flags(&mut self, buffer: Buffer) -> MemFlagsData {
        let flags = MemFlagsData::new().with_notrap();
        let Some(written) = &self.written else { return flags };
        match written.iter().position(|w| self.layout.overlap(*w, buffer)) {
            None => flags.with_can_move().with_readonly(),
            Some(at) => {
                let name = &self.program.decls.field(buffer.field).name;
                let description = match buffer.slot {
                    Some(slot) => format!("{name} t{slot}"),
                    None => name.clone(),
                };
                let data = AliasRegionData { user_id: at as u32, description: description.into() };
                let region = self.b.func.dfg.alias_regions.insert(data);
                flags.with_alias_region(Some(region))
            }
        }
    }

    /// A word of the context.
    pub(super) fn context_word(&mut self, offset: i32) -> Value {
        self.b.ins().load(WORD, Self::constant_flags(), self.context, offset)
    }

    /// A word of the frame. The frame of the entry function changes from step to step, that of others does not.
    pub(super) fn frame_value(&mut self, ty: Type, offset: i32) -> Value {
        let flags = match self.written {
            Some(_) => Self::constant_flags(),
            None => MemFlagsData::trusted(),
        };
        self.b.ins().load(ty, flags, self.frame, offset)
    }

    /// A run-time scalar in double precision.
    pub(super) fn run_scalar(&mut self, id: ScalarId) -> Value {
        let scalars = self.context_word(context::SCALARS);
        self.b.ins().load(types::F64, Self::constant_flags(), scalars, 8 * id.0 as i32)
    }

    /// The buffers that statements read or write, in order of first use.
    pub(super) fn buffers(&self, statements: &[Stmt]) -> Vec<Buffer> {
        let mut found = Vec::new();
        let mut add = |access: &Access| {
            let buffer = self.layout.buffer(self.program, access);
            if !found.contains(&buffer) {
                found.push(buffer);
            }
        };
        for s in statements {
            s.visit(&mut |s| {
                if let Some(value) = s.value() {
                    self.program.exprs.loads(value).iter().for_each(&mut add);
                }
                if let Stmt::Assign { target, .. } | Stmt::Inject { target, .. } = s {
                    add(target);
                }
            });
        }
        found
    }

    /// A loop from `first` to `end` by `size`, which may be empty.
    pub(super) fn through(
        &mut self,
        first: Value,
        end: Value,
        size: i64,
        body: impl FnOnce(&mut Self, Value),
    ) {
        let (begin, after) = (self.b.create_block(), self.b.create_block());
        let any = self.b.ins().icmp(IntCC::SignedLessThan, first, end);
        self.branch(any, (begin, &[]), (after, &[]));
        self.b.switch_to_block(begin);
        let (block, at) = self.enter_loop(&[first]);
        body(self, at[0]);
        let next = self.b.ins().iadd_imm_s(at[0], size);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        self.close_loop(block, again, &[next]);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    /// Does something where a condition holds.
    pub(super) fn guard(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        self.branch(condition, (inside, &[]), (after, &[]));
        self.b.switch_to_block(inside);
        body(self);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    /// A function of this process, or of this program (`host::COUNT` and up).
    pub(super) fn import(&mut self, index: u32, signature: Signature) -> FuncRef {
        if let Some(known) = self.imports.get(&index) {
            return *known;
        }
        let signature = self.b.import_signature(signature);
        let name = self.b.func.declare_imported_user_function(UserExternalName { namespace: 0, index });
        let data = ExtFuncData {
            name: ExternalName::user(name),
            signature,
            // Code may lie anywhere in memory: calls use full addresses.
            colocated: false,
            patchable: false,
        };
        let function = self.b.import_function(data);
        self.imports.insert(index, function);
        function
    }

    fn signature(&self, parameters: &[Type], result: Option<Type>) -> Signature {
        signature(self.layout.target.default_call_conv, parameters, result)
    }

    /// Calls a function of this process.
    pub(super) fn call_host(&mut self, index: u32, arguments: &[Value]) -> Option<Value> {
        let host = &host::all()[index as usize];
        let signature = self.signature(&host.parameters, host.result);
        let callee = self.import(index, signature);
        let call = self.b.ins().call(callee, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// Calls through a pointer.
    pub(super) fn call_pointer(
        &mut self,
        pointer: Value,
        arguments: &[Value],
        result: Option<Type>,
    ) -> Option<Value> {
        let types: Vec<Type> = arguments.iter().map(|a| self.b.func.dfg.value_type(*a)).collect();
        let signature = self.signature(&types, result);
        let signature = self.b.import_signature(signature);
        let call = self.b.ins().call_indirect(signature, pointer, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// Opens a block with parameters of the types of `values`, jumps to it with them, and goes on there.
    pub(super) fn enter_loop(&mut self, values: &[Value]) -> (Block, Vec<Value>) {
        let block = self.block_like(values);
        self.b.ins().jump(block, &arguments(values));
        self.b.switch_to_block(block);
        (block, self.b.block_params(block).to_vec())
    }

    /// A block with parameters of the types of `values`.
    pub(super) fn block_like(&mut self, values: &[Value]) -> Block {
        let block = self.b.create_block();
        for v in values {
            let ty = self.b.func.dfg.value_type(*v);
            self.b.append_block_param(block, ty);
        }
        block
    }

    /// Jumps to `block` with `values` when `condition` holds and to `other` with `otherwise` when not.
    pub(super) fn branch(
        &mut self,
        condition: Value,
        (block, values): (Block, &[Value]),
        (other, otherwise): (Block, &[Value]),
    ) {
        self.b.ins().brif(condition, block, &arguments(values), other, &arguments(otherwise));
    }

    /// Goes round the loop again with `next` while `again` holds, and on behind it otherwise.
    pub(super) fn close_loop(&mut self, block: Block, again: Value, next: &[Value]) {
        let after = self.b.create_block();
        self.b.ins().brif(again, block, &arguments(next), after, &[]);
        self.b.switch_to_block(after);
    }
}

/// The type of a value in memory.
pub(super) fn type_of(dtype: DType) -> Type {
    match dtype {
        DType::F32 => types::F32,
        DType::F64 => types::F64,
    }
}

/// Values as arguments of a block.
pub(super) fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|v| BlockArg::Value(*v)).collect()
}

/// The signature of an `extern "C"` function.
pub(super) fn signature(call_conv: CallConv, parameters: &[Type], result: Option<Type>) -> Signature {
    let mut signature = Signature::new(call_conv);
    signature.params.extend(parameters.iter().map(|t| AbiParam::new(*t)));
    signature.returns.extend(result.map(AbiParam::new));
    signature
}
