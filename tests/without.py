"""Code that runs where libraries are not installed."""

import contextlib
import io
import os
import sys
import traceback


def _run(code, libraries):
    absent = {}
    for name in list(sys.modules):
        package = name.partition('.')[0]
        if package == 'pyg_multipose':
            del sys.modules[name]
        elif package in libraries:
            absent[name] = sys.modules[name]
            sys.modules[name] = None
    sys.modules.update(dict.fromkeys(libraries))
    exec(code, {'__name__': '__main__', 'absent': absent})


def without(libraries, code):
    """What a code prints, or the traceback in which it ends.

    The package is imported anew in a copy of this process, which has torch
    already: to import that takes seconds.

    Args:
        libraries: What is not there.
        code: What runs. Its name `absent` holds modules that were imported
            here, for what comes after.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        text = io.StringIO()
        try:
            os.close(readable)
            with contextlib.redirect_stdout(text):
                try:
                    _run(code, libraries)
                except BaseException:
                    traceback.print_exc(file=text)
            with os.fdopen(writable, 'w', encoding='utf-8') as out:
                out.write(text.getvalue())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, encoding='utf-8') as out:
        text = out.read()
    os.waitpid(child, 0)
    return text
