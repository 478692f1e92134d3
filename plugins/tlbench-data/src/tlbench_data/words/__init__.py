"""Words with a tag for each: their files, their comments and the schemes of their tags."""
