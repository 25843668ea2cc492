-- api.parameter - what parameters mean.
set local role leads_owner;

delete from api.parameter;

insert into api.parameter (name, description, example)
values
  ('id', 'The record''s id.', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18'),
  ('limit', 'How many there may be in the answer.', null),
  ('cursor', 'Where the page begins: `next_cursor` of the page before, as it is. Left out: the first page.',
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ'),
  ('pipeline_stage', 'Only leads that stand in one of these stages.', 'qualified,won'),
  ('source', 'Only what has one of these sources.', null),
  ('email', 'Only leads with one of these addresses; A-Z are taken as a-z.', 'sarah.mitchell@example.com'),
  ('start_at', 'Only what is this old or younger: a date (midnight UTC), or a time with `Z` or an offset. Inclusive.', null),
  ('end_at', 'Only what is older. Exclusive.', null),
  ('action', 'Only events with one of these actions.', 'lead.updated'),
  ('lead_id', 'Only events of this lead.', null),
  ('if_match', 'The change is made only while the record has one of these tags, as `ETag` gave them; else 412.', '"1.11"'),
  ('idempotency_key', 'Makes a repeat harmless: the same key and request give the first answer again, for 24 hours.', 'form-7731'),
  ('after', 'The position of the last seal verified: `next_after` of the part before.', null),
  ('head', 'A `head` that was kept: the chain must still hold it.', null);
