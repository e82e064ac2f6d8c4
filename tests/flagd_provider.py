"""Serves flags from a file with flagd's own provider, in an environment of its own (decision 0021).

First line of standard input: ``{path, fallback}``, the file and what a caller gives as the default, by type. Then a
line a request, ``{flags: [[type, key]], units: [[id, attributes]]}``, each answered by a line: one list of values a
flag, in the order of the units.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    from openfeature import api  # noqa: PLC0415 - doctests import this file where there is no provider
    from openfeature.contrib.provider.flagd import FlagdProvider  # noqa: PLC0415
    from openfeature.contrib.provider.flagd.config import ResolverType  # noqa: PLC0415
    from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415

    start = json.loads(sys.stdin.readline())
    # The deadline is also how often the provider looks at the file.
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=start["path"], deadline_ms=50
    )
    api.set_provider_and_wait(provider)
    client = api.get_client()
    get = {
        "boolean": client.get_boolean_value,
        "string": client.get_string_value,
        "integer": client.get_integer_value,
        "number": client.get_float_value,
        "json": client.get_object_value,
    }
    for line in sys.stdin:
        asked = json.loads(line)
        served = [
            [
                get[kind](key, start["fallback"][kind], EvaluationContext(unit, known))
                for unit, known in asked["units"]
            ]
            for kind, key in asked["flags"]
        ]
        sys.stdout.write(f"{json.dumps(served)}\n")
        sys.stdout.flush()
    api.shutdown()


if __name__ == "__main__":
    main()
