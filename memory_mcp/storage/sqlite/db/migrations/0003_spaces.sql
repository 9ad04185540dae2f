-- A passage is of the space of its vector. One that waits is of none: it is for the store's space, whichever that is.
ALTER TABLE passages ADD COLUMN space INTEGER REFERENCES spaces (number);
UPDATE passages SET space = (SELECT number FROM spaces WHERE active = 1) WHERE state <> 'pending';

CREATE INDEX memories_deleted ON memories (deleted_at) WHERE deleted_at IS NOT NULL;
