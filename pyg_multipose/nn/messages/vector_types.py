r"""What `vectors.py` has, for numba; to be imported only where that is."""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import (
    ConcreteTemplate,
    infer_global,
    signature,
)
from numba.extending import (
    lower_builtin,
    models,
    overload,
    register_model,
    type_callable,
)

from pyg_multipose.nn.messages import vectors
from pyg_multipose.nn.messages.vectors import LANES

# A product and a sum may be one instruction.
_FLAGS = ('contract',)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


class _Vector(types.Type):
    def __init__(self, dtype: Any):
        super().__init__(name=f'Vector({dtype})')
        self.dtype = dtype


@register_model(_Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Any):
        number = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(number, LANES))


_VECTORS = {dtype: _Vector(dtype) for dtype in types.real_domain}


def _typed(function: Callable, returned: Callable) -> None:
    type_callable(function)(lambda context: returned)


def _type_of_all(count: Any, array: Any, at: Any) -> Any:
    if not isinstance(count, types.IntegerLiteral):
        return None  # Numba asks once more, with the constant.
    return types.UniTuple(_VECTORS[array.dtype], count.literal_value)


_typed(vectors.load, lambda array, at: _VECTORS[array.dtype])
_typed(vectors.load_all, _type_of_all)
_typed(vectors.spread, lambda array, at: _VECTORS[array.dtype])
_typed(vectors.store, lambda vector, array, at: types.none)
_typed(vectors.add_all, lambda vectors, array, at, step: types.none)
_typed(vectors.each, lambda vector, vectors: vectors)
_typed(vectors.weigh, lambda start, array, at, step, vectors: start)
_typed(vectors.total, lambda vector: vector.dtype)
_typed(vectors.fetch, lambda array, at: types.none)


class _Place:
    # A place of an array, as LLVM has it.
    def __init__(self, context: Any, builder: Any, of: Any, array: Any):
        self.builder = builder
        self.start = context.make_array(of)(context, builder, array).data
        number = self.start.type.pointee
        # Vectors may begin between those that memory is aligned to:
        self.align = context.get_abi_sizeof(number)
        self.vector = ir.VectorType(number, LANES)

    def number(self, at: Any) -> Any:
        return self.builder.gep(self.start, [at])

    def _of_vector(self, at: Any) -> Any:
        return self.builder.bitcast(self.number(at), self.vector.as_pointer())

    def load(self, at: Any) -> Any:
        return self.builder.load(self._of_vector(at), align=self.align)

    def store(self, vector: Any, at: Any) -> None:
        self.builder.store(vector, self._of_vector(at), align=self.align)

    def spread(self, at: Any) -> Any:
        empty = ir.Constant(self.vector, ir.Undefined)
        number = self.builder.load(self.number(at))
        one = self.builder.insert_element(empty, number, _INT32(0))
        return _shuffle(self.builder, one, LANES * [0])


def _shuffle(builder: Any, vector: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INT32, LANES), order)
    return builder.shuffle_vector(vector, vector, mask)


def _unpack(builder: Any, items: Any) -> list[Any]:
    return [builder.extract_value(items, i) for i in range(items.type.count)]


@lower_builtin(vectors.load, types.Array, types.Integer)
def _load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, at = args
    return _Place(context, builder, sig.args[0], array).load(at)


@lower_builtin(
    vectors.load_all, types.IntegerLiteral, types.Array, types.Integer
)
def _load_all(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _, array, at = args
    place = _Place(context, builder, sig.args[1], array)
    items = [
        place.load(builder.add(at, _INT64(i * LANES)))
        for i in range(sig.return_type.count)
    ]
    return context.make_tuple(builder, sig.return_type, items)


@lower_builtin(vectors.spread, types.Array, types.Integer)
def _spread(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, at = args
    return _Place(context, builder, sig.args[0], array).spread(at)


@lower_builtin(vectors.store, _Vector, types.Array, types.Integer)
def _store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector, array, at = args
    _Place(context, builder, sig.args[1], array).store(vector, at)
    return context.get_dummy_value()


@lower_builtin(
    vectors.add_all, types.UniTuple, types.Array, types.Integer, types.Integer
)
def _add_all(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    items, array, at, step = args
    place = _Place(context, builder, sig.args[1], array)
    for item in _unpack(builder, items):
        place.store(builder.fadd(place.load(at), item, flags=_FLAGS), at)
        at = builder.add(at, step)
    return context.get_dummy_value()


@lower_builtin(vectors.each, _Vector, types.UniTuple)
def _each(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    vector, items = args
    products = [
        builder.fmul(vector, item, flags=_FLAGS)
        for item in _unpack(builder, items)
    ]
    return context.make_tuple(builder, sig.return_type, products)


@lower_builtin(
    vectors.weigh,
    _Vector,
    types.Array,
    types.Integer,
    types.Integer,
    types.UniTuple,
)
def _weigh(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    out, array, at, step, items = args
    place = _Place(context, builder, sig.args[1], array)
    for item in _unpack(builder, items):
        item = builder.fmul(place.spread(at), item, flags=_FLAGS)
        out = builder.fadd(out, item, flags=_FLAGS)
        at = builder.add(at, step)
    return out


@lower_builtin(vectors.total, _Vector)
def _total(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    # One half is added to the other, until one number is left.
    (vector,) = args
    half = LANES // 2
    while half:
        order = [(i + half) % LANES for i in range(LANES)]
        vector = builder.fadd(vector, _shuffle(builder, vector, order))
        half //= 2
    return builder.extract_element(vector, _INT32(0))


@lower_builtin(vectors.fetch, types.Array, types.Integer)
def _fetch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, at = args
    byte = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [byte, *3 * [_INT32]])
    prefetch = builder.module.declare_intrinsic(
        'llvm.prefetch', (byte,), signature
    )
    number = _Place(context, builder, sig.args[0], array).number(at)
    # To be read (0), into the nearest cache (3) of data (1).
    flags = [_INT32(flag) for flag in (0, 3, 1)]
    builder.call(prefetch, [builder.bitcast(number, byte), *flags])
    return context.get_dummy_value()


def _define(symbol: Any, instruction: str) -> None:
    class Operation(ConcreteTemplate):
        cases = [signature(x, x, x) for x in _VECTORS.values()]  # noqa: RUF012

    infer_global(symbol)(Operation)

    @lower_builtin(symbol, _Vector, _Vector)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FLAGS)


_define(operator.add, 'fadd')
_define(operator.sub, 'fsub')
_define(operator.mul, 'fmul')


def add_inline(function: Callable[..., None]) -> None:
    r"""Lets loops call a function, of which they get a copy.

    Args:
        function: The function.
    """
    overload(function, strict=False, jit_options={'forceinline': True})(
        lambda *args: function
    )
