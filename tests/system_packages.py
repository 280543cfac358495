"""What tests need beside Python, and the command that installs it: the only reasons to skip a test."""

INSTALL = "apt-get install --no-install-recommends"
NEEDS_R = f"needs R with its packages survey and MASS: {INSTALL} r-cran-survey r-cran-mass"
NEEDS_R_TO_WRITE = (
    f"needs R with survey, MASS and jsonlite: {INSTALL} r-cran-survey r-cran-mass r-cran-jsonlite"
)
NEEDS_JAVA = f"needs Java: {INSTALL} default-jre-headless"
NEEDS_BROWSER = f"needs a browser: {INSTALL} chromium"
NEEDS_LIMITS = "sets limits of a process and sends it signals, which Windows has not"
NEEDS_TIME_ZONES = "changes its time zone, which Windows has one of"
NEEDS_SLASHES = "writes a path that Windows reads and others do not"
NEEDS_PROC = "looks at running programs in /proc, which Linux alone has"
NEEDS_PDFTOTEXT = f"needs pdftotext: {INSTALL} poppler-utils"
