-- When somebody who comes by their e-mail address came last: of them what is kept goes so many days after that, since
-- no school tells it anew. A day, and no moment: nothing needs more. `collected_at` stays when something was learnt, for
-- by it a new use of old data is found (A-57).

ALTER TABLE identity ADD COLUMN seen_on date;
