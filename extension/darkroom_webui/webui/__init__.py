"""What the extension needs of the WebUI, one module for each thing. Its modules are imported when a function is called,
because only a running WebUI has them."""
