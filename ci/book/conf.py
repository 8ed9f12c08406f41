"""Sphinx's settings for the book. `ci/build_book.py` lays the pages out in build/book-src and calls
Sphinx with these.

Nothing here reaches the network: no intersphinx, no MathJax (formulas become MathML), no widget
scripts, no CDN."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))  # `ci` and `sdft_lib`

import sdft_lib  # noqa: E402
from ci.lessons import sources  # noqa: E402

SLUG, BRANCH = sources.repository()

project = "Self-distillation fine-tuning, hands on"
author = "the authors of the tutorial"
copyright = "the authors. Texts and data: CC BY 4.0; code: Apache-2.0"
version = release = sdft_lib.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_readme.md"]
nitpicky = False

nb_execution_mode = "off"  # lessons are shown as they were recorded, never run
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
add_module_names = False

html_theme = "sphinx_book_theme"
html_title = project
html_context = {"default_mode": "auto"}
html_static_path = [str(HERE / "static")]
html_favicon = str(HERE / "static" / "icon.svg")
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_theme_options = {
    "use_repository_button": False,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if SLUG:  # the rocket that opens a lesson in Colab needs to know where
    html_theme_options |= {
        "repository_url": f"https://github.com/{SLUG}",
        "repository_branch": BRANCH,
        "path_to_docs": "",
        "launch_buttons": {"colab_url": sources.COLAB},
    }


def plain(app, what, name, obj, options, lines) -> None:
    """Our docstrings are plain English with ``code``: nothing else in them is meant as markup."""
    parts = re.split(r"(``.+?``)", "\n".join(lines), flags=re.S)
    parts[::2] = [re.sub(r"([*|`\\]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    lines[:] = "".join(parts).split("\n")


def mathml(translator, node) -> None:
    """A LaTeX formula as MathML, which browsers and screen readers read without a script."""
    from docutils.nodes import SkipNode
    from latex2mathml.converter import convert

    inline = node.tagname == "math"
    formula = convert(node.astext(), display="inline" if inline else "block")
    translator.body.append(formula if inline else f'<div class="formula">{formula}</div>')
    raise SkipNode


def setup(app) -> dict:
    """Register the above with Sphinx."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(mathml, None), block_renderers=(mathml, None)
    )
    app.connect("autodoc-process-docstring", plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
