-- What stands in the LMS's gradebook: which columns are this tool's own, and which scores it sent there.

-- `made`: the line item is the tool's own, made by it or found again in a copied course; only such a one is renamed.
-- `label` is what it was last called by us, `lineitems_url` the course's list in which it stands.
ALTER TABLE grade_column ADD COLUMN made boolean NOT NULL DEFAULT false;
ALTER TABLE grade_column ADD COLUMN label text;
ALTER TABLE grade_column ADD COLUMN lineitems_url text;

-- `cleared`: what is sent is that there is no score. `done` of `activities` is the comment.
ALTER TABLE grade_delivery ADD COLUMN cleared boolean NOT NULL DEFAULT false;
ALTER TABLE grade_delivery ADD COLUMN done integer NOT NULL DEFAULT 0;
ALTER TABLE grade_delivery ADD COLUMN activities integer NOT NULL DEFAULT 0;
-- When the pupil began and last handed in (AGS 2.0, 3.4, submission).
ALTER TABLE grade_delivery ADD COLUMN started_at timestamptz;
ALTER TABLE grade_delivery ADD COLUMN submitted_at timestamptz;
-- Whether the pupil hands in anew, or the score of what was handed in before has changed.
ALTER TABLE grade_delivery ADD COLUMN new_submission boolean NOT NULL DEFAULT true;
-- Scores of ours of which one stands in the LMS: the last delivered one, and those that were sent since without an
-- answer. Any other grade there is a teacher's.
ALTER TABLE grade_delivery ADD COLUMN may_stand double precision[] NOT NULL DEFAULT '{}';
ALTER TABLE grade_delivery ADD COLUMN delivered_at timestamptz;

-- `regraded`: a teacher changed the grade in the LMS, and that one stands.
ALTER TABLE grade_delivery DROP CONSTRAINT ck_grade_delivery_state;
ALTER TABLE grade_delivery ADD CONSTRAINT ck_grade_delivery_state
  CHECK (state IN ('queued', 'delivered', 'parked', 'stale', 'regraded'));
