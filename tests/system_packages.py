"""What tests need beside Python, and the command that installs it: the only reasons to skip a test."""

INSTALL = "apt-get install --no-install-recommends"
NEEDS_R = f"needs R with its package survey: {INSTALL} r-cran-survey"
NEEDS_R_TO_WRITE = f"needs R with survey and jsonlite: {INSTALL} r-cran-survey r-cran-jsonlite"
NEEDS_JAVA = f"needs Java: {INSTALL} default-jre-headless"
NEEDS_BROWSER = f"needs a browser: {INSTALL} chromium"
NEEDS_PDFTOTEXT = f"needs pdftotext: {INSTALL} poppler-utils"
