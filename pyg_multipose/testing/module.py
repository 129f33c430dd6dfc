"""What every module promises: copies, states, and what it leaves alone."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from torch import Tensor, nn

from pyg_multipose.gradient.model.twin import perturb
from pyg_multipose.testing.comparison import (
    broken,
    check_close,
    check_equal,
)
from pyg_multipose.testing.contract import Contract, generator, left_alone

#: Where what a copy lacks belongs.
_REGISTER = (
    'register what is learned or drawn at the start as a parameter or a buffer'
)


class ModuleContract(Contract):
    r"""What combinations and single-pose models have in common."""

    def test_same_again(self) -> None:
        """A second call gives the same."""
        module, inputs = self._made(), self._inputs()
        self._check_same('a second call', module, self._run(module, inputs))

    def test_copies(self) -> None:
        """Copies and pickles give the same."""
        module = self._made()
        expected = self._run(module, self._inputs())
        for name, copied in (
            ('copy.deepcopy', copy.deepcopy),
            ('pickle', lambda it: pickle.loads(pickle.dumps(it))),
        ):
            try:
                again = copied(module)
            except Exception as error:  # of any kind: it runs others' code
                raise broken(
                    f'a copy by {name}',
                    f'{type(error).__name__}: {error}',
                    'a copy',
                    'keep no lambdas, locks or open files as attributes, and '
                    'define classes at the top level of a file',
                ) from error
            self._check_same(f'a copy by {name}', again, expected)

    def test_state_dict(self) -> None:
        """All that is learned goes through a state_dict."""
        module = self._made()
        expected = self._run(module, self._inputs())
        again = self._new(seed=1)
        try:
            again.load_state_dict(module.state_dict())
        except Exception as error:  # of any kind: it runs others' code
            raise broken(
                'another one after load_state_dict',
                f'{type(error).__name__}: {error}',
                'the state of the first',
                _REGISTER,
            ) from error
        self._check_same('another one after load_state_dict', again, expected)

    def test_leaves_inputs_alone(self) -> None:
        """No input is changed in place."""
        module, inputs = self._made(), self._inputs()
        before = copy.deepcopy(dict(inputs))
        self._run(module, inputs)
        check_equal(
            'the names of the inputs after a call',
            sorted(inputs.keys()),
            sorted(before),
            'work on a copy',
        )
        for name, value in before.items():
            check_equal(
                f"'{name}' after a call",
                inputs[name],
                value,
                'work on a copy',
            )

    def test_leaves_the_rest_alone(self) -> None:
        """No state, gradient, random number, setting or print."""
        module, inputs = self._made(), self._inputs()
        before = copy.deepcopy(_state(module))
        with left_alone(
            'a call',
            'draw in training mode only or from a torch.Generator of your '
            'own, take settings as arguments, and print nothing',
        ):
            self._run(module, inputs)
        after = _state(module)
        for name in sorted({*before, *after}):
            check_equal(
                f'{name} after a call',
                after.get(name),
                before.get(name),
                'a call computes; change buffers in training mode only, and '
                'take inner gradients by torch.autograd.grad',
            )

    # For subclasses ##########################################################

    def _new(self, seed: int = 0) -> Any:
        """A new module, in the dtype of the comparison."""
        raise NotImplementedError

    def _inputs(self) -> Any:
        """New inputs of a call, a mapping from their names."""
        raise NotImplementedError

    def _run(self, module: Any, inputs: Any) -> Tensor:
        """What a call gives."""
        raise NotImplementedError

    # Inside ##################################################################

    def _made(self) -> Any:
        module = self._new()
        perturb(module, generator(1))
        return module

    def _check_same(self, what: str, module: Any, expected: Tensor) -> None:
        check_close(
            what,
            {'the prediction': self._run(module, self._inputs())},
            {'the prediction': expected},
            1e-12,
            f'keep nothing from call to call, and {_REGISTER}',
        )


def _state(module: nn.Module) -> dict[str, Any]:
    """All tensors and training flags of a module, by what they are."""
    state: dict[str, Any] = {}
    for name, parameter in module.named_parameters():
        state[f"parameter '{name}'"] = parameter.detach()
        state[f"the .grad of parameter '{name}'"] = parameter.grad
    for name, buffer in module.named_buffers():
        state[f"buffer '{name}'"] = buffer.detach()
    for name, part in module.named_modules():
        state[f"the training flag of '{name}'"] = part.training
    return state
