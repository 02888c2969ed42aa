"""The demonstration: a model server that answers by chance (`server`), a support agent that believes its notes
(`agent`), and what the two need to tell their story (`story`). Nothing here is imported by the rest of the package."""
