"""What the WebUI's API says: names of model files, prompts, scripts. Pure knowledge, without a look at any store."""
