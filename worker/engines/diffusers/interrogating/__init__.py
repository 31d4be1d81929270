"""Describing pictures: by a sentence and words that fit it (Interrogate CLIP), or by tags (DeepBooru)."""
