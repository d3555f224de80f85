/**
 * The tables of both workers' databases. Statements stand beside the functions that use them; constraints carry the
 * rules. `run` is the row's `seq` in `runs`: the order in which runs began, which depends on no clock.
 */

/** Changes with every change of a table. */
export const schemaVersion = 3

const common = `
-- What was paid for: Rekognition's answer about an image, kept until the object is replaced or gone.
-- Invariant: it is committed before anything is done because of it. A refusal (not an image, too large) is a fact about
-- the bytes, so it is an answer; a failure is not.
CREATE TABLE answers (
  bucket TEXT NOT NULL,
  operation TEXT NOT NULL,
  key TEXT NOT NULL,
  etag TEXT NOT NULL,
  -- the ID of the run that asked, for runs that use no older answers
  asked_by TEXT NOT NULL,
  -- seq of the newest run that used it
  used_by INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  model TEXT,
  min_confidence REAL NOT NULL,
  answer TEXT,
  refusal TEXT,
  PRIMARY KEY (bucket, operation, key),
  CHECK ((answer IS NULL) <> (refusal IS NULL))
);

-- Rekognition calls by UTC day. reserved: counted before the call is made, so that no crash can exceed the daily limit.
CREATE TABLE calls (
  day TEXT NOT NULL,
  operation TEXT NOT NULL,
  region TEXT NOT NULL,
  reserved INTEGER NOT NULL DEFAULT 0,
  answered INTEGER NOT NULL DEFAULT 0,
  throttled INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (day, operation, region)
) WITHOUT ROWID;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`

export const detectorSchema = `${common}
-- open → ended (every image decided, the end is fixed) → done ("-1" is in the queue); or abandoned.
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY,
  run TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('open', 'ended', 'done', 'abandoned')),
  settings TEXT NOT NULL,
  -- only answers of this run are used
  fresh INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  -- by SQS, if it may be known: a queue that was re-created has lost the run's messages
  queue_created_at INTEGER,
  -- checkpoint: every listed key up to last_key is decided; images and skipped count them, digest identifies them
  last_key TEXT NOT NULL DEFAULT '',
  images INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  digest TEXT NOT NULL DEFAULT '',
  -- progress, for people
  processed INTEGER NOT NULL DEFAULT 0,
  total INTEGER,
  cars INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  asked INTEGER NOT NULL DEFAULT 0,
  reused INTEGER NOT NULL DEFAULT 0,
  per_second REAL NOT NULL DEFAULT 0,
  waiting TEXT,
  requests TEXT NOT NULL DEFAULT '{}',
  updated_at INTEGER NOT NULL
);

-- Images with the label: n is fixed before the message is sent, and stays the same when it is sent again.
-- Deleted when the run is done.
CREATE TABLE cars (
  run INTEGER NOT NULL,
  n INTEGER NOT NULL,
  key TEXT NOT NULL,
  etag TEXT,
  size INTEGER,
  confidence REAL NOT NULL,
  boxes TEXT NOT NULL,
  -- ms since 1970; NULL until SQS has confirmed the message
  sent_at INTEGER,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;
CREATE UNIQUE INDEX cars_by_key ON cars (run, key);
CREATE INDEX unsent_cars ON cars (run, n) WHERE sent_at IS NULL;

-- Images that could not be analysed in a run; the next run tries them again.
CREATE TABLE failures (
  run INTEGER NOT NULL,
  key TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (run, key)
) WITHOUT ROWID;
`

export const readerSchema = `${common}
CREATE INDEX answers_by_use ON answers (used_by);

-- open → complete (its results are published) or abandoned; both take no more outcomes.
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY,
  run TEXT NOT NULL UNIQUE,
  -- when it began, by its ID: UTC start of its detector; of a foreign run, of its first message on this reader. The order
  -- of runs, and the same on every reader: results.txt shows the complete run that began last.
  begun TEXT NOT NULL GENERATED ALWAYS AS (substr(replace(run, 'foreign-', ''), 1, 16)) VIRTUAL,
  state TEXT NOT NULL CHECK (state IN ('open', 'complete', 'abandoned')),
  is_foreign INTEGER NOT NULL DEFAULT 0,
  -- the "-1" of a foreign run has come; it does not say how many there are
  end_seen INTEGER NOT NULL DEFAULT 0,
  opened_at INTEGER NOT NULL,
  -- RunEnd as JSON, once it is known; the first one holds
  end TEXT,
  -- position in the order of publication on this reader; NULL when its results were deleted
  published INTEGER UNIQUE,
  -- position in the order of finished runs of the results bucket; NULL when this reader worked alone
  position INTEGER,
  published_at INTEGER,
  -- progress, for people
  recorded INTEGER NOT NULL DEFAULT 0,
  texts INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  asked INTEGER NOT NULL DEFAULT 0,
  reused INTEGER NOT NULL DEFAULT 0,
  per_second REAL NOT NULL DEFAULT 0,
  waiting TEXT,
  requests TEXT NOT NULL DEFAULT '{}',
  updated_at INTEGER NOT NULL
);

-- What became of the n-th image of a run: the primary key makes repeated messages harmless.
-- Invariant: a message is deleted only after its outcome is committed. Deleted when the results are published.
CREATE TABLE outcomes (
  run INTEGER NOT NULL,
  n INTEGER NOT NULL,
  -- natural order of the keys
  sort_key BLOB NOT NULL,
  key TEXT NOT NULL,
  etag TEXT,
  confidence REAL,
  boxes TEXT,
  sent_at INTEGER,
  at INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('text', 'no-text', 'failed')),
  lines TEXT,
  reason TEXT,
  PRIMARY KEY (run, n)
);
CREATE INDEX outcomes_in_order ON outcomes (run, sort_key, n);

-- Numbers given to messages that carry none (of other implementations). One number for each key of a run.
CREATE TABLE foreign_images (
  run INTEGER NOT NULL,
  n INTEGER NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (run, n),
  UNIQUE (run, key)
) WITHOUT ROWID;

-- SQS message IDs of foreign messages: SQS may deliver one again after its run has ended.
CREATE TABLE foreign_messages (
  id TEXT PRIMARY KEY,
  run INTEGER NOT NULL
) WITHOUT ROWID;
`
