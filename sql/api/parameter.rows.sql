-- api.parameter - the descriptions of parameters that several routes share.
set local role leads_owner;
delete from api.parameter;

insert into api.parameter (name, description, example)
values
  ('id', 'The id of the record.', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18'),
  ('limit', 'The maximum number of rows in the response.', null),
  ('cursor', 'The `next_cursor` of the previous page. Leave it out, or empty, for the first page.',
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ'),
  ('pipeline_stage', 'Only leads in one of these stages.', 'qualified,won'),
  ('source', 'Only rows with one of these sources.', null),
  ('email', 'Only leads with one of these addresses. Upper and lower case letters A to Z are equal.', 'sarah.mitchell@example.com'),
  ('phone', 'Only leads with this phone number, in any spelling.', '+15550100199'),
  ('reference', 'Only the lead with this reference.', 'form-7731'),
  ('q', 'Only leads whose name, company and e-mail address have all of these words, each as the beginning of a word.', 'sarah mitch'),
  ('updated_since', 'Begin with the changes of this time, in the order `updated_at`. A cursor replaces it.', null),
  ('order', 'The order of the leads. `updated_at`: the leads that changed, in the order of their changes.', null),
  ('start_at', 'Only rows created at this time or later: a date (midnight UTC), or a time with `Z` or an offset.', null),
  ('end_at', 'Only rows created before this time: a date (midnight UTC), or a time with `Z` or an offset.', null),
  ('format', 'The format of the export: `ndjson` or `csv`.', null),
  ('action', 'Only events with one of these actions.', 'lead.updated'),
  ('lead_id', 'Only events of this lead.', null),
  ('if_match', 'Make the change only if the record has one of these tags, as `ETag` returned them. Otherwise: 412.', '"1.11"'),
  ('idempotency_key', 'Makes the request safe to repeat: for 24 hours the same key and request return the first response again.', 'form-7731'),
  ('after', 'The position of the last seal that was verified: the `next_after` of the previous response.', null),
  ('head', 'A `head` that you kept from an earlier response. The chain must still contain it.', null);
