"""How the pages are built: `sphinx-build -W -n docs docs/_build/html`. Nothing is fetched, then or when one reads."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import iwax

project = "iwax"
author = "The iwax developers"
copyright = author
version = release = iwax.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
extensions += ["mathml", "cells", "docstrings", "generated", "outside", "offline"]  # those of this folder
exclude_patterns = ["_build", "templates", "extensions"]
templates_path = ["templates"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
math_number_all = False

autosummary_generate = True
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say shapes; the annotations of jaxtyping are long
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": False}
default_role = "py:obj"
add_module_names = False
nitpick_ignore_regex = [("py:.*", ".*")]  # a name in a docstring may be a variable; pages and headings are checked

html_theme = "furo"
html_title = "iwax"
html_static_path = ["static"]
html_css_files = ["page.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
