r"""Options of a command, from the command line and from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyg_multipose.campaign import atomic_file
from pyg_multipose.cli.nearest import did_you_mean

try:
    import yaml
    from jsonargparse import (
        ArgumentParser,
        DefaultHelpFormatter,
        Namespace,
    )
except ImportError as error:
    raise ImportError(
        'The command line needs jsonargparse: pip install '
        "'pyg_multipose[train]'"
    ) from error


class _Formatter(DefaultHelpFormatter):
    """Help without the types of Python, and without defaults of null."""

    def _expand_help(self, action: Any) -> str:
        text = super()._expand_help(action)
        text = re.sub(r'type: .+?(?=, default: |\)$)', '', text)
        text = text.replace('(, ', '(').replace(', )', ')')
        return re.sub(r' \((default: null)?\)$', '', text)


class Parser(ArgumentParser):
    r"""A parser whose errors name the nearest option.

    Words of an option may be joined by a hyphen or by an underscore.

    Args:
        command: The name of the command.
        about: What it does.
        args: As of :class:`jsonargparse.ArgumentParser`.
        kwargs: As of :class:`jsonargparse.ArgumentParser`.
    """

    def __init__(
        self, command: str = '', about: str = '', *args: Any, **kwargs: Any
    ) -> None:
        kwargs.setdefault('prog', f'multipose {command}')
        kwargs.setdefault('description', about)
        kwargs.setdefault('formatter_class', _Formatter)
        super().__init__(*args, **kwargs)
        self.add_argument(
            '--config',
            action='config',
            metavar='FILE',
            help='A YAML file with any of these options, such as the '
            'config.yaml of a run; what is given besides goes before it. '
            f'Or the name of a bundled one: {", ".join(bundled())}.',
        )

    def read(self, argv: Sequence[str]) -> Namespace:
        r"""The options.

        Args:
            argv: The arguments of the command.

        Raises:
            SystemExit: With code 2, after a message, if an option is unknown
                or has a wrong value.
        """
        names = _with_paths([_plain(word) for word in argv])
        known = {action.dest for action in self._actions}
        for word in names:
            key = word.removeprefix('--').partition('=')[0].partition('.')[0]
            if word.startswith('--') and key not in known:
                self.error(
                    f'there is no option --{key}{did_you_mean(key, known)}'
                )
        for number, word in enumerate(names):
            name, is_joined, value = word.partition('=')
            if name == '--config':
                file = (
                    value
                    if is_joined
                    else ''.join(names[number + 1 : number + 2])
                )
                self._check_file(Path(file), known)
        options = self.parse_args(names)
        for key, value in options.as_dict().items():
            if isinstance(value, dict):
                options[key] = _as_plain(value)
        return options

    def error(self, message: str, ex: Exception | None = None) -> Any:
        r"""Prints a message and ends the command.

        Args:
            message: What is wrong.
            ex: Why. (default: :obj:`None`)
        """
        text = ' '.join(line.strip() for line in message.splitlines())
        self.exit(2, f'{self.prog}: error: {text}\nSee {self.prog} --help\n')

    def _check_file(self, file: Path, known: set[str]) -> None:
        if not file.is_file():
            near = did_you_mean(str(file), bundled())
            self.error(f"there is no configuration '{file}'{near}")
        try:
            found = yaml.safe_load(file.read_text(encoding='utf-8')) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.error(f"'{file}' is no YAML: {error}")
        if not isinstance(found, dict):
            self.error(f"'{file}' holds no options (name: value)")
        for key in found:
            if key not in known:
                self.error(
                    f"'{file}' has the key {key!r}, which is no option"
                    f'{did_you_mean(str(key), known)}'
                )


def bundled() -> dict[str, Path]:
    r"""The configurations that are part of the package, by their names."""
    folder = Path(__file__).with_name('configs')
    return {file.stem: file for file in sorted(folder.glob('*.yaml'))}


def _with_paths(words: list[str]) -> list[str]:
    """The words of a command, with the path of a bundled configuration."""
    known = {name: str(path) for name, path in bundled().items()}
    out = []
    for number, word in enumerate(words):
        name, is_joined, value = word.partition('=')
        if name == '--config' and is_joined and not Path(value).exists():
            word = f'{name}={known.get(value, value)}'
        elif number and words[number - 1] == '--config':
            word = word if Path(word).exists() else known.get(word, word)
        out.append(word)
    return out


def plain_options(options: Namespace) -> dict[str, Any]:
    r"""Options as a YAML file holds them.

    Args:
        options: All of them, the defaults too.
    """
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in options.as_dict().items()
        if key not in ('config', 'dry_run')
    }


def with_data(argv: Sequence[str]) -> list[str]:
    r"""Options of a command whose first word may be the data set.

    Args:
        argv: The options, such as :obj:`["campaign"]`.

    Returns:
        The same with :obj:`--data` before that word.
    """
    if argv and not argv[0].startswith('-'):
        return ['--data', *argv]
    return list(argv)


def write(options: Namespace, file: Path) -> None:
    r"""Writes options as a configuration.

    Args:
        options: All of them, the defaults too.
        file: The YAML file.
    """
    with atomic_file(file, 'w', encoding='utf-8') as out:
        yaml.safe_dump(
            plain_options(options), out, sort_keys=False, allow_unicode=True
        )


def _as_plain(value: Any) -> Any:
    """Dictionaries, also where a class was told by its path."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        return {key: _as_plain(one) for key, one in value.items()}
    return value


def _plain(word: str) -> str:
    """An option with underscores; values are left alone."""
    if not word.startswith('--'):
        return word
    name, equals, value = word.partition('=')
    first, dot, rest = name.partition('.')
    return f'--{first[2:].replace("-", "_")}{dot}{rest}{equals}{value}'
