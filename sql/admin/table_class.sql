-- admin.table_class - says of each tenant table how its rows come to another cell.
set local role leads_jobs;

create or replace function admin.table_class()
returns table ("position" integer, relation text, class text) language sql immutable parallel safe
begin atomic
  select c.position, c.relation, c.class
  from (values
    -- The rows of a table refer only to rows of tables before it. admin.delete_moved begins with the last one.
    (10, 'app.organization', 'data'),
    (20, 'app.pipeline_stage', 'data'),

    -- The log and its chain. No event changes but by an erasure, which the other cell must get, too.
    (30, 'audit.event', 'data'),
    -- Carried and not made again: a chain that was sealed a second time would have other times.
    (31, 'audit.seal', 'data'),
    -- What makes a worker seal. If it came before the end of the move, two cells would continue one chain.
    (32, 'audit.unsealed', 'ownership'),

    -- A key admits requests, so that only one cell may have it.
    (40, 'auth.api_key', 'ownership'),
    -- It refers to keys, and the server writes it between requests. The rows are as few as the keys.
    (41, 'auth.key_use', 'ownership'),
    -- A binding admits an analyst. It names a login of this cluster by its oid, so that it is made again and not carried.
    (42, 'auth.analyst', 'ownership'),
    -- The other cell notes each key that comes, so that the router learns where it is.
    (43, 'auth.unannounced_key', 'derived'),

    (50, 'scoring.model', 'data'),
    (60, 'app.lead', 'data'),
    (61, 'scoring.signal', 'data'),
    (62, 'scoring.score', 'data'),
    -- Copies of the leads' values. Made again, they would be missing from each search for minutes.
    (63, 'app.lead_word', 'data'),
    -- A lead that has no words and is not in this queue would never be found. The queue of a fenced organization is not worked on.
    (64, 'app.unindexed_lead', 'data'),
    -- For 24 hours a repeated request gets its first answer, in the other cell, too. The digest is the same there.
    (65, 'app.idempotency_key', 'data'),

    -- Figures from the log. They are carried with the position up to which they are counted, so that no event counts twice.
    (70, 'app.stage_stay', 'data'),
    (71, 'app.stage_day', 'data'),
    (72, 'app.stage_progress', 'data'),
    -- A queue of one position, which is that of the last seal.
    (73, 'app.uncounted_seal', 'derived'),

    -- The outbox and what was sent: with both, no lead gets a second record. No push is leased without a connection.
    (80, 'crm.sync', 'data'),
    (81, 'crm.attempt', 'data'),
    -- It makes a worker push, and has the credential.
    (82, 'crm.connection', 'ownership'),

    -- It admits what people send, with its key.
    (90, 'intake.form', 'ownership'),
    -- With them a sender's repeat is recognized. They refer to forms that come later; no foreign key is checked on arrival.
    (91, 'intake.submission', 'data'),
    -- The limit of each client address. It is not logged, so that PostgreSQL can't publish it, and it begins anew.
    (92, 'intake.client', 'derived'),

    -- It makes a worker deliver, and has the secret and the position in the log.
    (100, 'webhook.endpoint', 'ownership'),
    -- Too many to come last. No delivery is leased without its webhook.
    (101, 'webhook.delivery', 'data'),
    -- An erasure lists who has received values.
    (102, 'webhook.recipient', 'data'),
    -- A queue of one row, which makes a worker look whether there are new seals.
    (103, 'webhook.unqueued_batch', 'derived'),

    -- So that no file is imported twice.
    (110, 'admin.lead_import', 'data'),
    -- No row is ever committed.
    (111, 'admin.import_row', 'derived'),

    -- It says where this cell stands, and the other one has its own.
    (120, 'app.placement', 'derived')
  ) as c (position, relation, class);
end;

comment on function admin.table_class() is
$$Each tenant table, with its class. Every tenant table has exactly one.

data: a publication carries the rows while the organization is served. ownership: the rows come last, when this cell does nothing
more for the organization (admin.owned_rows, admin.take_over); they make a cell answer, seal, push or deliver. derived: the rows are
not carried; the other cell makes them, or needs none. position: a table's rows refer only to rows of tables with a lower one.$$;

grant execute on function admin.table_class() to leads_operator, leads_eraser;
