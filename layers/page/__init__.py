"""The page (`web/`): how it is built for a deploy, and the headers that it is served with."""
