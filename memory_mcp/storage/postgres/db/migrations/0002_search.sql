-- What searches read. A partition is the documents of a namespace, or its other memories: each has word frequencies,
-- counts and vectors of its own.

-- How many memories of a partition have a term; '' counts all of them (and in `terms` how many terms they have together),
-- '/n' the chunks with a vector of space n. Writes add to it at their end, one after the other.
CREATE TABLE tallies (
  namespace   text COLLATE "C" NOT NULL,
  documents   boolean NOT NULL,
  name        text COLLATE "C" NOT NULL,
  memories    bigint NOT NULL,
  terms       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (namespace, documents, name)
) WITH (fillfactor = 60);  -- the same rows again and again: each page keeps room for their next versions

CREATE TABLE postings (
  namespace text COLLATE "C" NOT NULL,
  documents boolean NOT NULL,
  term      text COLLATE "C" NOT NULL,
  key       bigint NOT NULL,
  count     integer NOT NULL,
  length    integer NOT NULL,  -- of the memory, in terms
  PRIMARY KEY (namespace, documents, term, key) INCLUDE (count, length)  -- a word's postings lie side by side
);

-- The terms of each live memory in order, each between two blanks: phrases are found in them, and common words counted.
CREATE TABLE indexed (
  key       bigint PRIMARY KEY,
  namespace text COLLATE "C" NOT NULL,
  documents boolean NOT NULL,
  terms     text NOT NULL
);

CALL wall('tallies');
CALL wall('postings');
CALL wall('indexed');

-- The vectors of space n lie in vectors_n, which this makes: the front's role may not create tables.
CREATE FUNCTION make_vectors(number integer, dimensions integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  EXECUTE format(
    'CREATE TABLE vectors_%s (
       namespace text COLLATE "C" NOT NULL, documents boolean NOT NULL, key bigint NOT NULL, passage bigint NOT NULL,
       first integer NOT NULL, embedding vector(%s) NOT NULL
     ) PARTITION BY HASH (namespace)', number, dimensions);
  FOR part IN 0..7 LOOP
    EXECUTE format('CREATE TABLE vectors_%1$s_%2$s PARTITION OF vectors_%1$s FOR VALUES WITH (MODULUS 8, REMAINDER %2$s)',
                   number, part);
    EXECUTE format('CALL wall(''vectors_%s_%s'')', number, part);  -- backups read each part by itself
    IF dimensions < 1900 THEN  -- in the row itself, where a page has room for it
      EXECUTE format('ALTER TABLE vectors_%s_%s ALTER embedding SET STORAGE PLAIN', number, part);
    END IF;
  END LOOP;
  EXECUTE format('CREATE UNIQUE INDEX ON vectors_%s (namespace, documents, passage)', number);
  EXECUTE format('CREATE INDEX ON vectors_%s (namespace, key, first)', number);
  EXECUTE format('CALL wall(''vectors_%s'')', number);
  FOR part IN 0..7 LOOP  -- graphs.py makes them again, concurrently, where one is gone or was left half done
    EXECUTE format('CREATE INDEX vectors_%1$s_%2$s_nearest ON vectors_%1$s_%2$s '
                   'USING hnsw ((embedding::halfvec(%3$s)) halfvec_cosine_ops)', number, part, dimensions);
  END LOOP;
END $$;

CREATE FUNCTION drop_vectors(number integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM spaces AS s WHERE s.number = drop_vectors.number AND NOT s.active) THEN
    RAISE EXCEPTION 'space % is active, or unknown', number;
  END IF;
  EXECUTE format('DROP TABLE memory_mcp.vectors_%s', number);
END $$;

-- Both act with their owner's rights; docs/postgres.md lets the fronts' role run them.
REVOKE EXECUTE ON FUNCTION make_vectors, drop_vectors FROM PUBLIC;

-- Fronts read the version and write the rest.
DO $$
DECLARE reader oid;
BEGIN
  FOR reader IN SELECT DISTINCT a.grantee FROM pg_class AS c, aclexplode(c.relacl) AS a
                WHERE c.oid = 'schema_version'::regclass AND a.grantee NOT IN (0, c.relowner) LOOP
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON schema_version FROM %s', reader::regrole);
  END LOOP;
END $$;
