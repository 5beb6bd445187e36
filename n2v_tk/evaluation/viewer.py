"""Images beside each other in a page of HTML, zoomed and moved together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import html
from ..plot.picture import as_img, grey_png

STYLE = """
.viewer{display:flex;gap:8px;flex-wrap:wrap}
.viewer figure{margin:0;flex:1 1 260px;min-width:220px}
.viewer figcaption{font-size:.9em;padding:2px 0}
.viewer .pane{overflow:hidden;aspect-ratio:var(--shape);border:1px solid #888;cursor:grab;
touch-action:none;position:relative;background:#000}
.viewer .pane img{width:100%;height:100%;transform-origin:0 0;image-rendering:pixelated;
display:block;user-select:none;-webkit-user-drag:none}
.viewer-bar{margin:4px 0}
.viewer-bar button{font-size:1em;min-width:2.2em}
"""

SCRIPT = """
document.querySelectorAll('.viewer').forEach(function (viewer) {
  var scale = 1, x = 0, y = 0, from = null;
  var images = viewer.querySelectorAll('.pane img');
  function show() {
    var pane = images[0].parentElement;
    x = Math.min(0, Math.max(pane.clientWidth * (1 - scale), x));
    y = Math.min(0, Math.max(pane.clientHeight * (1 - scale), y));
    images.forEach(function (image) {
      image.style.transform = 'translate(' + x + 'px,' + y + 'px) scale(' + scale + ')';
    });
    viewer.dataset.zoom = scale.toFixed(3);
  }
  function zoom(factor, px, py) {
    var next = Math.min(32, Math.max(1, scale * factor));
    x = px - (px - x) * next / scale;
    y = py - (py - y) * next / scale;
    scale = next;
    show();
  }
  function middle(factor) {
    var pane = images[0].parentElement;
    zoom(factor, pane.clientWidth / 2, pane.clientHeight / 2);
  }
  images.forEach(function (image) {
    var pane = image.parentElement;
    pane.addEventListener('wheel', function (event) {
      event.preventDefault();
      var box = pane.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - box.left, event.clientY - box.top);
    }, {passive: false});
    pane.addEventListener('pointerdown', function (event) {
      from = [event.clientX - x, event.clientY - y];
      pane.setPointerCapture(event.pointerId);
    });
    pane.addEventListener('pointermove', function (event) {
      if (from) { x = event.clientX - from[0]; y = event.clientY - from[1]; show(); }
    });
    pane.addEventListener('pointerup', function () { from = null; });
    pane.addEventListener('pointercancel', function () { from = null; });
    pane.addEventListener('dblclick', function () { scale = 1; x = y = 0; show(); });
  });
  var bar = viewer.nextElementSibling;
  bar.querySelector('.in').addEventListener('click', function () { middle(1.5); });
  bar.querySelector('.out').addEventListener('click', function () { middle(1 / 1.5); });
  bar.querySelector('.all').addEventListener('click', function () {
    scale = 1; x = y = 0; show();
  });
  show();
});
"""


def viewer(images: Mapping[str, np.ndarray], low: float, high: float) -> str:
    """A row of images, (Y, X) or (Y, X, 3), that are zoomed and moved together.

    Parameters
    ----------
    images : mapping of title to ndarray
        All of one shape.
    low, high : float
        Grey values that are shown black and white.

    Returns
    -------
    str
        HTML; the page needs `STYLE` and `SCRIPT` too.
    """
    height, width = next(iter(images.values())).shape[:2]
    panes = "".join(
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<div class="pane" style="--shape:{width}/{height}">'
        f"{as_img(grey_png(image, low, high), html.escape(title))}</div></figure>"
        for title, image in images.items()
    )
    bar = (
        '<div class="viewer-bar"><button class="in" title="zoom in">+</button> '
        '<button class="out" title="zoom out">−</button> '
        '<button class="all">whole image</button> Turn the wheel to zoom, drag to move; all '
        "images go together.</div>"
    )
    return f'<div class="viewer">{panes}</div>{bar}'
