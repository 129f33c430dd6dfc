"""Poses of chosen compounds: their weights, and where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyg_multipose.report.markup import Markup, join, number, table, tag
from pyg_multipose.report.sections.section import Section

#: The most rows of a table of poses.
MOST = 100


@dataclass
class PoseView:
    r"""The poses of a compound.

    Args:
        name: The id of the compound.
        about: Why it was chosen, and what was predicted and measured.
        weights: The weight of each pose.
        predicted: What was predicted for each.
        ranks: The rank of each.
        scores: Its docking score, if it has one. (default: no scores)
        scene: What the 3-D view shows, see
            :func:`~pyg_multipose.report.scene.scene`.
            (default: :obj:`None`, nothing)

    Example:
        >>> from pyg_multipose.report import PoseView, RunPage
        >>> view = PoseView('a', 'an error', [0.9, 0.1], [6.1, 5.0], [1, 2])
        >>> 'an error' in RunPage('A run', 'pIC50', poses=[view]).html()
        True
    """

    name: str
    about: str
    weights: list[float]
    predicted: list[float]
    ranks: list[int]
    scores: list[float] = field(default_factory=list)
    scene: dict[str, Any] | None = None


def poses(views: list[PoseView], unit: str, score: str = '') -> Section | None:
    r"""A choice of compounds, a 3-D view and a table of poses for each.

    Args:
        views: The compounds.
        unit: Of the predictions.
        score: The name of the docking score. (default: :obj:`""`)
    """
    if not views:
        return None
    options = [
        tag('option', f'{view.name} \u2014 {view.about}', value=k)
        for k, view in enumerate(views)
    ]
    choice = tag(
        'div',
        tag('select', *options, id='compound', aria_label='compound'),
        tag('button', 'Heaviest pose / all', type='button', id='heaviest'),
        tag('button', 'Reset view', type='button', id='reset'),
        tag(
            'label',
            Markup('<input type="checkbox" id="pocket" checked>'),
            'pocket',
        ),
        class_='choice',
    )
    canvas = tag('canvas', tabindex=0, aria_label='poses in 3-D')
    nothing = tag(
        'p', 'No atoms to show: the set has no positions.', hidden='hidden'
    )
    view_of = tag(
        'div',
        tag('div', canvas, nothing, id='view'),
        tag(
            'div',
            'weight 0',
            tag('i'),
            '1',
            class_='scale',
        ),
        tag(
            'p',
            'Turn: drag. Move: Shift or two fingers. Enlarge: wheel or two '
            'fingers. Carbon has the colour of the weight, nitrogen is blue, '
            'oxygen red, sulfur yellow; grey is the receptor.',
            class_='note',
        ),
    )
    panels = tag(
        'div', *(_panel(k, v, unit, score) for k, v in enumerate(views))
    )
    intro = tag(
        'p',
        'The weight of a pose is how much the prediction of its compound '
        'moves with its own. Boxes show and hide poses.',
    )
    body = [intro, choice, tag('div', view_of, panels, class_='poses')]
    return Section('poses', 'Which poses matter', join(body))


def _panel(place: int, view: PoseView, unit: str, score: str) -> Markup:
    order = sorted(range(len(view.weights)), key=lambda k: -view.weights[k])
    drawn = {one['pose'] for one in (view.scene or {}).get('poses', ())}
    head = ['', 'pose', 'weight', f'predicted ({unit})', 'rank']
    head += [score] if view.scores else []
    rows = []
    for pose in order[:MOST]:
        weight = view.weights[pose]
        box: Any = ''
        if pose in drawn:
            box = Markup(
                f'<input type="checkbox" data-pose="{pose}" '
                f'data-weight="{weight:.3f}" aria-label="pose {pose}" checked>'
            )
        bar = Markup(
            f'<i><b style="width:{100 * min(max(weight, 0), 1):.0f}%"></b></i>'
        )
        shown = tag('span', bar, number(weight, 3), class_='weight')
        value = number(view.predicted[pose])
        row = [box, pose, shown, value, view.ranks[pose]]
        rows.append([*row, number(view.scores[pose])] if view.scores else row)
    more = len(order) - len(rows)
    return tag(
        'div',
        tag('h3', view.name, style='margin-top:0'),
        tag('p', view.about, class_='note'),
        tag('div', table(head, rows), class_='tall'),
        tag('p', f'{more} more poses of smaller weight.', class_='note')
        if more > 0
        else '',
        class_='panel',
        hidden='hidden' if place else None,
    )
