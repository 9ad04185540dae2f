-- Terms of other languages than English are stems of theirs (stems.py): the index is filled anew.
INSERT INTO keywords (keywords) VALUES ('delete-all');
