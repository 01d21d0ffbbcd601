"""Instructions of the processor for which numba has no name. For kernels only; imports numba."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from monitor.matching.buckets import LANES


@intrinsic
def ones(typing: Any, value: Any) -> Any:
    """Bits set in a 64-bit word: one instruction, for which numba has no name."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def lowest(typing: Any, value: Any) -> Any:
    """Position of the lowest bit set in a 32-bit word that is not zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint32(types.uint32), generate


def _pointer(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    parts = context.make_array(kind)(context, builder, array)
    stride = builder.extract_value(parts.strides, 0)
    byte = ir.IntType(8).as_pointer()
    at = builder.gep(builder.bitcast(parts.data, byte), [builder.mul(row, stride)])
    return builder.gep(builder.bitcast(at, parts.data.type), [column])


@intrinsic
def prefetch(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """Ask for array[row, column], without waiting."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        at = builder.bitcast(_pointer(context, builder, signature.args[0], *arguments), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        read, keep, data = ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind), [at, read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64), generate


@intrinsic
def near(typing: Any, array: Any, row: Any, column: Any, value: Any, limit: Any) -> Any:
    """Bit i of the answer: array[row, column + i] differs from `value` in at most `limit` bits; 32 at once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_of_32 = ir.VectorType(ir.IntType(16), LANES)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

        def repeated(number: Any) -> Any:
            one = builder.insert_element(
                ir.Constant(row_of_32, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
            )
            return builder.shuffle_vector(one, ir.Constant(row_of_32, ir.Undefined), zeros)

        array_, row_, column_, value_, limit_ = arguments
        at = _pointer(context, builder, signature.args[0], array_, row_, column_)
        loaded = builder.load(builder.bitcast(at, row_of_32.as_pointer()))
        loaded.align = 2
        kind = ir.FunctionType(row_of_32, [row_of_32])
        ones = get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{LANES}i16")
        differing = builder.call(ones, [builder.xor(loaded, repeated(value_))])
        return builder.bitcast(builder.icmp_unsigned("<=", differing, repeated(limit_)), ir.IntType(LANES))

    return types.uint32(array, types.uint64, types.uint64, types.uint16, types.uint16), generate
