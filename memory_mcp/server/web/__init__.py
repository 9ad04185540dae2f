"""The page: what is remembered, in a browser; imported when a page is asked for, and by no front on stdio."""
