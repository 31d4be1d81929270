"""`python -m darkroom_cli`: the same as `darkroom`."""

from darkroom_cli.main import main

if __name__ == "__main__":
    main()
