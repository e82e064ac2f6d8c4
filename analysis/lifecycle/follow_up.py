"""A draft of the experiment that follows another: the same question, asked of a changed or a further variant."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from fairsplit.analysis.lifecycle.editing import stamp, yaml_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

#: What carries over: whom it asks, and how it is judged. Its own past stays behind.
_KEPT = (
    "owner", "hypothesis", "tags", "unit", "sdk", "traffic", "config_schema", "targeting", "segments", "exposure",
    "metrics", "plan", "stopping", "crossovers",
)  # fmt: skip


def follow_up_text(text: str, new_id: str, start: datetime, variant: str | None) -> str:
    """The text of a draft with two arms: the control, and a copy of the variant that its author is to change.

    Args:
        text: The file of the experiment that it follows.
        new_id: Id of the draft.
        start: When it is to start, naive UTC, whole seconds.
        variant: The variant to change; none for a new one, which begins as a copy of the control.
    """
    data = yaml_of().load(text)
    arms = {arm["id"]: arm for arm in data["variants"]}
    control = next(arm for arm in data["variants"] if arm.get("control"))
    origin = arms[variant] if variant is not None else control
    fresh = _copy(origin, f"{variant}_2" if variant is not None else "new")
    fresh["name"] = f"{origin.get('name') or origin['id']}, changed" if variant is not None else "New variant"
    draft = CommentedMap({"id": new_id, "name": f"{data['name']}, next", "type": "ab"})
    draft.update({key: data[key] for key in _KEPT if key in data})
    draft.update({"status": "draft", "stage": "design", "start": stamp(start)})
    draft["variants"] = CommentedSeq([_copy(control, control["id"], control=True), fresh])
    draft.yaml_set_start_comment(
        f"Follows {data['id']}. Change the config of {fresh['id']}, then `fairsplit experiment start {new_id}`.\n"
    )
    stream = io.StringIO()
    yaml_of().dump(draft, stream)
    return stream.getvalue()


def next_batch_text(text: str, new_id: str, start: datetime, points: Sequence[Mapping[str, Any]]) -> str:
    """The text of a draft whose arms are the points that a search proposes, beside the same control.

    Args:
        text: The file of the batch before.
        new_id: Id of the draft.
        start: When it is to start, naive UTC, whole seconds.
        points: Values of the parameters of each arm; the rest of its config is the control's.
    """
    data = yaml_of().load(text)
    control = next(arm for arm in data["variants"] if arm.get("control"))
    arms = [_copy(control, control["id"], control=True)]
    for number, point in enumerate(points, start=1):
        arm = CommentedMap({"id": f"point_{number}"})
        arm["name"] = ", ".join(f"{name} {value}" for name, value in point.items())
        arm["config"] = {**copy.deepcopy(dict(control.get("config") or {})), **point}
        arms.append(arm)
    draft = CommentedMap(
        {"id": new_id, "name": f"{data['name']}, next", "type": "ab" if len(arms) == 2 else "abn"}
    )
    draft.update({key: data[key] for key in _KEPT if key in data})
    draft.update({"status": "draft", "stage": "design", "start": stamp(start)})
    draft["search"] = CommentedMap({**data["search"], "follows": data["id"]})
    draft["variants"] = CommentedSeq(arms)
    draft.yaml_set_start_comment(
        f"The batch after {data['id']}. `fairsplit experiment start {new_id}` runs it.\n"
    )
    stream = io.StringIO()
    yaml_of().dump(draft, stream)
    return stream.getvalue()


def _copy(arm: Any, name: str, *, control: bool = False) -> CommentedMap:
    copied = CommentedMap({"id": name})
    copied.update({key: copy.deepcopy(arm[key]) for key in ("name", "description", "config") if key in arm})
    if control:
        copied["control"] = True
    return copied
