"""`python -m panel`: Darkroom on the command line."""

from panel.cli import app

if __name__ == "__main__":
    app(prog_name="darkroom")
