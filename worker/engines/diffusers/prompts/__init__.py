"""The WebUI's language of prompts: emphasis, schedules, compositions, and chunks of 75 tokens.

Each prompt goes through these rooms in this order: `composition` (AND), `schedule` (`[a:b:0.5]`, `[a|b]`),
`attention` (`(a:1.2)`, BREAK), `chunks`. None of them needs torch. All of them take time in proportion to the prompt,
whatever it says.
"""
