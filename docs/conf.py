"""How the documentation is built: `make docs`, or `sphinx-build -W docs build/docs`.

Pages are Markdown (MyST). Nothing is fetched, neither now nor by a reader's browser: equations become MathML
(``_ext/mathml.py``), fonts are the reader's own. What the code knows better is not copied but read from it: settings
and commands (``_ext/reference.py``), the API (autodoc), sections of README and the examples under ``examples``.
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "posepipe"
author = "The posepipe developers"
project_copyright = f"{author}, Apache-2.0"
version = release = version_of("posepipe")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "reference",
    "shapes",
]
exclude_patterns = ["examples", "_ext"]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_update_mathjax = False
html_math_renderer = "mathml"

nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
smartquotes = False  # two hyphens are an option, not a dash

html_theme = "furo"
html_title = f"posepipe {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
